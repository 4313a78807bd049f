"""The embedded profile: the same roles on a broker that comes as a wheel."""
