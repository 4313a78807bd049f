"""The long-running roles: each a thin shell around pure steps."""
