"""Release, collect and grade the exercises: the instructor's commands.

Nothing here sets a mark by itself: what is right stands with the sources of the
exercises, which no wheel holds.
"""
