"""Forecasts of operational metrics hours to days ahead, and from them the risk of crossing a limit.

A series becomes a regular grid (`series.History`: hourly means, missing hours filled and marked). Candidate models
(`models/`, one file each) turn a history into point forecasts; rolling-origin backtests on the series' own past
(`backtest`) choose or weigh them and give the residuals from which quantiles are made (`intervals`), so that every
model's intervals mean the same and none explodes. Forecasts stay inside what the series can be: never below zero where
it never was, never past a stated capacity. `risk` draws sample paths through the quantiles and reads the first passage
through the limit off them; `sawtooth` replaces the paths where the series grows and is reset (log rotation, garbage
collection).

Units: horizons count grid steps (hours unless a frequency is given); values keep the series' unit. Score directions:
MASE, CRPS and their ratios to seasonal-naive are better when lower; a ratio of 1 is as good as seasonal-naive.
"""
