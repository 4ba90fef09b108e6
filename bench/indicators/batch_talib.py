#!/usr/bin/env python3
"""TA-Lib's batch functions over the series of bench_indicators: ns a bar, or a comparison of values.

Needs the package TA-Lib; `run` makes an environment that has it."""
import argparse
import json
import sys
import time

import numpy as np
import talib as ta

# Metric of the first output: all outputs by name.
CALLS = {
    "sma_20": lambda o, h, l, c, v: {"sma_20": ta.SMA(c, 20)},
    "ema_20": lambda o, h, l, c, v: {"ema_20": ta.EMA(c, 20)},
    "wma_20": lambda o, h, l, c, v: {"wma_20": ta.WMA(c, 20)},
    "dema_20": lambda o, h, l, c, v: {"dema_20": ta.DEMA(c, 20)},
    "tema_20": lambda o, h, l, c, v: {"tema_20": ta.TEMA(c, 20)},
    "kama_30": lambda o, h, l, c, v: {"kama_30": ta.KAMA(c, 30)},
    "rsi_14": lambda o, h, l, c, v: {"rsi_14": ta.RSI(c, 14)},
    "macd_12_26_9": lambda o, h, l, c, v: dict(
        zip(("macd_12_26_9", "macd_signal_12_26_9", "macd_hist_12_26_9"), ta.MACD(c, 12, 26, 9))),
    "bb_upper_20_2": lambda o, h, l, c, v: dict(
        zip(("bb_upper_20_2", "bb_middle_20_2", "bb_lower_20_2"), ta.BBANDS(c, 20, 2, 2))),
    "atr_14": lambda o, h, l, c, v: {"atr_14": ta.ATR(h, l, c, 14)},
    "natr_14": lambda o, h, l, c, v: {"natr_14": ta.NATR(h, l, c, 14)},
    "stoch_k_14_3_3": lambda o, h, l, c, v: dict(
        zip(("stoch_k_14_3_3", "stoch_d_14_3_3"), ta.STOCH(h, l, c, 14, 3, 0, 3, 0))),
    "stochrsi_k_14_5_3": lambda o, h, l, c, v: dict(
        zip(("stochrsi_k_14_5_3", "stochrsi_d_14_5_3"), ta.STOCHRSI(c, 14, 5, 3, 0))),
    "adx_14": lambda o, h, l, c, v: {"adx_14": ta.ADX(h, l, c, 14)},
    "cci_20": lambda o, h, l, c, v: {"cci_20": ta.CCI(h, l, c, 20)},
    "willr_14": lambda o, h, l, c, v: {"willr_14": ta.WILLR(h, l, c, 14)},
    "obv": lambda o, h, l, c, v: {"obv": ta.OBV(c, v)},
    "mfi_14": lambda o, h, l, c, v: {"mfi_14": ta.MFI(h, l, c, v, 14)},
    "roc_10": lambda o, h, l, c, v: {"roc_10": ta.ROC(c, 10)},
    "mom_10": lambda o, h, l, c, v: {"mom_10": ta.MOM(c, 10)},
    "trix_30": lambda o, h, l, c, v: {"trix_30": ta.TRIX(c, 30)},
    "ppo_12_26": lambda o, h, l, c, v: {"ppo_12_26": ta.PPO(c, 12, 26, 1)},
    "aroon_up_14": lambda o, h, l, c, v: dict(zip(("aroon_down_14", "aroon_up_14"), ta.AROON(h, l, 14))),
    "sar_0.02_0.2": lambda o, h, l, c, v: {"sar_0.02_0.2": ta.SAR(h, l, 0.02, 0.2)},
    "stddev_5": lambda o, h, l, c, v: {"stddev_5": ta.STDDEV(c, 5, 1)},
}
# Not timed: our `adx` gives these too.
ONLY_VALUES = {
    "plus_di_14": lambda o, h, l, c, v: {"plus_di_14": ta.PLUS_DI(h, l, c, 14)},
    "minus_di_14": lambda o, h, l, c, v: {"minus_di_14": ta.MINUS_DI(h, l, c, 14)},
}


def measure(columns, repeats):
    for metric, call in CALLS.items():
        best = float("inf")
        for _ in range(repeats):
            begin = time.perf_counter()
            call(*columns)
            best = min(best, time.perf_counter() - begin)
        print(json.dumps({"bench": "indicators", "metric": metric + ".talib",
                          "value": round(best * 1e9 / len(columns[0]), 3), "unit": "ns/bar"}))


def compare(columns, values_file):
    """Differences in parts of the value, or of its indicator's usual size where the value is small."""
    names = open(values_file + ".names").read().split()
    ours = np.fromfile(values_file).reshape(-1, len(names))
    worst = 0.0
    for call in (*CALLS.values(), *ONLY_VALUES.values()):
        for name, theirs in call(*columns).items():
            mine = ours[:, names.index(name)]
            if (np.isnan(mine) != np.isnan(theirs)).any():
                sys.exit(f"{name}: values where TA-Lib has none, or none where it has some")
            scale = np.maximum(np.abs(theirs), np.nanmean(np.abs(theirs)))
            off = np.nanmax(np.abs(mine - theirs) / scale)
            worst = max(worst, off)
            print(json.dumps({"bench": "indicators", "metric": name + ".difference", "value": off,
                              "unit": "relative"}))
    if worst > 1e-9:
        sys.exit("the values differ")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("series", help="columns of doubles, written by bench_indicators --series")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--values", help="compare with what bench_indicators --values wrote")
    arguments = parser.parse_args()
    columns = np.fromfile(arguments.series).reshape(5, -1)
    if arguments.values:
        compare(columns, arguments.values)
    else:
        measure(columns, arguments.repeats)


if __name__ == "__main__":
    main()
