"""What a person read in the page's figures: the words of it that no run can make. Look again when they change."""

from typing import Final

SEED: Final = 2027
"""Of the simulations that were read."""

TARGETS: Final = """
**Season, 20,000 rows.** A window of 400 hours is no whole number of weeks: some hours of the week come three times
in it and others twice, and its share of weekend is 24 to 36 %. Beside the plain sum of the reference's hours, which
has 28.8 % of weekend, 18 % of such windows had a verdict, mostly of `location` in a segment. Now each hour counts as
often as the window has it, which the rows of its panes tell, and the sum as many rows as it is worth so weighed.

**Season, small windows.** A window of 200 rows is compared with the six same times of four hours in the reference,
1,200 rows, a segment of a window of 500 with some 300. From their own shares of a hundred categories the null
distribution of `js` was too narrow: it is told from the whole reference now, as far as the hours agree with it. Nor are
categories impossible that such hours happen to lack: where they had one category alone, one other row had p = 0, a
fifth of the false verdicts at 500 rows. What remains is the level of the family: where p-values are right,
Benjamini-Hochberg at 5 % gives a false verdict in up to 5 % of windows, and 5 % is the bound. So a figure of some
hundred windows may lie on either side of it by chance, by its standard error.

**Power beside the first release.** A share of 10 % that moves between two categories of six, and a mean shift of 0.2
sd, both at 200 rows, come nearest to the bound: nothing there is near a threshold; a column's p-value is joined from
all its methods (Simes) and corrected over all columns and segments, and a change that few of them see pays for the
others. A share of 5 % that moves at 2,000 rows was 10.5 points behind with a threshold of `js` of 0.08; with 0.07
more is found, and no more quiet windows have a verdict. It is not found at 20,000 rows, where the effect has little
noise and lies below the threshold, and is not meant to be. Where the first release has fewer windows than today's
figure, it was left when three standard errors no longer reached the bound.

**float32.** One window of 300 at 200 and at 2,000 rows, as many as chance gives one column of 25.

**Segments added.** What turns are windows without a verdict on the whole that get one in one of ten segments: the
family is eleven times as large, and the share of all windows that have any false verdict is what the first table
gives, within 7 %.

Where shares of quiet windows are within a standard error or two of their bound, more references tell more than more
windows do: windows of one reference share its chance.
"""
"""Where a target is not reached, how far off and why; where it is, what to know. Paragraphs."""

FLIGHTS: Final = """
**February and March.** Beside January: days of rain or snow (`precip` on 8, 11, 23 and 27 February, 8 and 12 March;
on 8 February, a blizzard, `@label` and `@score` too, and on 17 February those alone). Each is what happened, and is
over the next day. Beside its season, 1 February also differs in the hours of departure: the file of live rows begins
at midnight in New York, five hours into the window of UTC. From 10 March on `dep_hour_utc` differs from its season,
mostly in one carrier (9E), until 3 November: the season follows New York's clocks, that column those of UTC, so it
does move by an hour against it.

**April.** Warm days: `temp` above January's maximum of 64.4 °F on 7 days, high pressure on 21 and 22 April. A true
change, which January can not know and its hours of the week neither; beside the last four weeks 5 days remain, the
first warm ones (8 and 9 April), the two of high pressure, and rain on 12 April.

**May to September.** Every day has a verdict beside January, with the season or without: from 1 May Delta flies
another timetable (`sched_duration_min`; every carrier's by July), from the middle of May places are flown to that
January does not have (`dest`, new category), and it is summer (`temp`, 21 to 31 days a month). All of it is true and
lasts: what it asks for is a new reference, not a hand on each day. Beside the last four weeks 8, 1, 1, 1 and 2 days
remain: the first hot ones of May (10, 16, 21), storms (8, 19 and 28 May, 7 June, 1 August), a week's end on which one
carrier flew to Charlotte more than to any other place (`dest` of US, 26 May, 6 July: 35 flights), and the first cool
days (14 and 17 September), on which fewer values than before lie above January's maximum.

**October.** Warm until the middle of the month, and carriers have moved between airports since September: of EV's
flights 5 % left from La Guardia in January and 23 % do now, of 9E's 89 % left from JFK and 60 % do now (`origin`,
`carrier`, `dest`, every day). True and lasting. Beside the last four weeks 3 days: fog (`visib`, 6 October), rain (7)
and the first cold day (24, one segment).

**November.** As October, without the warm days. Beside the last four weeks 11: high pressure and cold (4 and 5),
United's winter timetable (flights of more than 371 minutes go from 15 to 27 % of its own, 5 to 9 November), rain or
fog (7, 17, 26 and 27, the last before Thanksgiving), late flights on the 1st, and one carrier without a flight to
Boston on the 30th. The timetable is news for five days and then part of the four weeks.

**December.** As November, and the holidays (`distance` is longer from 21 December on). Beside the last four weeks 6:
rain (6, 23), a warm day (22), Christmas, 28 December (Charlotte again), and the 31st, from which on the flights have
no weather at all: `missing` in all of its columns, on that day and on 1 January.

**What is not a change of the data**: 1 February and 1 January (windows that the file cuts off), and the small
segments of 35 flights on holidays. What recurs and cannot be learned from one January is the weather: a single month
has no summer, so a pinned reference says so every day until it is replaced.
"""
"""Each month of the flights. Paragraphs."""
