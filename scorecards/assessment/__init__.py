"""Judges many services fast: verdicts, levels and the first thing to do, without the words. Pure.

The rules are those of `scorecards.evaluation`, which explains one service at a time; that the two agree is tested over
random facts and catalogues.
"""
