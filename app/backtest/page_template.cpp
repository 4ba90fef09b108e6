#include "app/backtest/page_template.hpp"

namespace troupe::app {

std::string_view page_template() {
  return R"html(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Back-test</title>
<style>@STYLE@</style>
<style>
:root {
  --ground: #fbfbf9; --card: #fff; --ink: #1d2430; --soft: #667085; --line: #e4e7ec;
  --main: #1f6feb; --up: #12875a; --down: #c4320a;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #12151b; --card: #1a1f28; --ink: #e8ebf0; --soft: #98a2b3; --line: #2b3240;
    --main: #6ea8fe; --up: #3ccb8d; --down: #ff8a65;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 28px 20px 60px; max-width: 1160px; background: var(--ground);
  color: var(--ink); font: 15px/1.5 system-ui, "Segoe UI", Roboto, "Liberation Sans", sans-serif;
}
h1 { font-size: 26px; margin: 0; }
h2 { font-size: 17px; margin: 34px 0 10px; }
p { margin: 4px 0; color: var(--soft); }
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(165px, 1fr)); gap: 10px; margin-top: 20px; }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 10px 14px; }
.tile b { display: block; font-size: 20px; font-weight: 600; font-variant-numeric: tabular-nums; }
.tile span { color: var(--soft); font-size: 13px; }
.chart { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 12px 8px 4px; }
.good { color: var(--up); }
.bad { color: var(--down); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums; width: 100%; }
th, td { padding: 5px 10px; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { color: var(--soft); font-weight: 500; }
th:first-child, td:first-child { text-align: left; }
.heat { width: auto; }
.heat td { border: 1px solid var(--ground); color: #10151f; min-width: 52px; text-align: center; padding: 4px 6px; }
.heat th { border: 0; text-align: right; padding: 4px 8px; }
.u-legend { font-size: 13px; color: var(--soft); }
</style>
</head>
<body>
<h1 id="title"></h1>
<p id="about"></p>
<p id="costs"></p>
<div class="tiles" id="tiles"></div>
<div id="charts"></div>
<div id="sweep"></div>
<div id="trades"></div>
<script>@LIBRARY@</script>
<script type="application/json" id="data">@DATA@</script>
<script>
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const make = (parent, tag, text, kind) => {
  const node = document.createElement(tag);
  if (text !== undefined) node.textContent = text;
  if (kind) node.className = kind;
  parent.appendChild(node);
  return node;
};
const number = (x, digits = 2) => x === null ? "–" :
  Number(x).toLocaleString("en-US", {minimumFractionDigits: digits, maximumFractionDigits: digits})
    .replace(/^-(0\.?0*)$/, "$1");
// Money and prices come as text and stay exact: only their thousands are parted.
const money = text => text === null ? "–" :
  text.replace(/^-?\d+/, whole => whole.replace(/\B(?=(\d{3})+$)/g, ","));
const duration = days => days === null ? "–" : days >= 1 ? number(days, 1) + " days" :
  days * 24 >= 1 ? number(days * 24, 1) + " hours" : number(days * 1440, 1) + " minutes";
const percent = x => x === null ? "–" : number(100 * x) + " %";
const time = s => new Date(s * 1000).toISOString().slice(0, 16).replace("T", " ");
const tone = x => x > 0 ? "good" : x < 0 ? "bad" : "";

function head() {
  const s = data.settings, m = data.metrics;
  document.title = s.strategy + " – back-test";
  document.getElementById("title").textContent = s.strategy + " on " + s.symbols.join(", ");
  const parameters = Object.entries(s.parameters).map(([k, v]) => k + " = " + v).join(", ");
  document.getElementById("about").textContent =
    (parameters || "no parameters") + " · bars of " + s.bars + " · " +
    Number(data.events).toLocaleString("en-US") + " events, " + time(data.begin) + " to " + time(data.end) + " UTC";
  document.getElementById("costs").textContent =
    "cash " + money(s.cash) + " · " + s.size_text + " · fees " + s.taker_fee_bps + " bps (makers " +
    s.maker_fee_bps + ") · slippage " + s.slippage_bps + " bps · " + s.days_per_year + " days a year";
  const tiles = document.getElementById("tiles");
  const tile = (name, value, kind) => {
    const t = make(tiles, "div", undefined, "tile");
    make(t, "b", value, kind);
    make(t, "span", name);
  };
  tile("final equity", money(m.final_equity));
  tile("total return", percent(m.total_return), tone(m.total_return));
  tile("annual return", percent(m.annual_return), tone(m.annual_return));
  tile("volatility, annual", percent(m.volatility));
  tile("Sharpe", number(m.sharpe));
  tile("Sortino", number(m.sortino));
  tile("Calmar", number(m.calmar));
  tile("maximum drawdown", percent(m.max_drawdown), m.max_drawdown > 0 ? "bad" : "");
  tile("from its peak to the next or the end", duration(m.max_drawdown_days));
  tile("time with a position", percent(m.exposure));
  tile("turnover, times equity", number(m.turnover));
  tile("trades", m.trades.toLocaleString("en-US"));
  tile("win rate", percent(m.win_rate));
  tile("profit factor", number(m.profit_factor));
  tile("mean trade", number(m.mean_trade), tone(m.mean_trade));
  tile("mean length of a trade", duration(m.mean_trade_days));
  tile("fees", money(m.fees));
}

const sync = uPlot.sync("time");
const plots = [];
function chart(title, height, series, values, hooks, axis) {
  const place = document.getElementById("charts");
  make(place, "h2", title);
  const box = make(place, "div", undefined, "chart");
  const line = {stroke: css("--soft"), grid: {stroke: css("--line"), width: 1}, ticks: {stroke: css("--line"), width: 1}};
  const plot = new uPlot({
    width: box.clientWidth - 18, height, series: [{value: (u, x) => x === null ? "" : time(x)}, ...series],
    axes: [line, {...line, size: 82, ...axis}], cursor: {sync: {key: sync.key}}, hooks: hooks || {},
    tzDate: s => uPlot.tzDate(new Date(s * 1e3), "Etc/UTC"),
  }, values, box);
  plots.push([plot, box, height]);
}

// A triangle for each fill: upwards under what was bought, downwards above what was sold.
function marks(fills) {
  return plot => {
    const ctx = plot.ctx, size = 6 * devicePixelRatio;
    ctx.save();
    ctx.beginPath();
    ctx.rect(plot.bbox.left, plot.bbox.top, plot.bbox.width, plot.bbox.height);
    ctx.clip();
    for (const [at, price, buy] of fills) {
      const x = plot.valToPos(at, "x", true), y = plot.valToPos(price, "y", true), way = buy ? 1 : -1;
      ctx.fillStyle = css(buy ? "--up" : "--down");
      ctx.beginPath();
      ctx.moveTo(x, y + way * 2);
      ctx.lineTo(x - size * 0.7, y + way * size * 1.6);
      ctx.lineTo(x + size * 0.7, y + way * size * 1.6);
      ctx.fill();
    }
    ctx.restore();
  };
}

function charts() {
  for (const s of data.prices) {
    const note = s.fills_all > s.fills.length ?
      " (the last " + s.fills.length.toLocaleString("en-US") + " of " + s.fills_all.toLocaleString("en-US") + ")" : "";
    chart(s.symbol + " and the fills" + note, 300,
          [{label: "price", stroke: css("--soft"), width: 1}], [s.time, s.price], {draw: [marks(s.fills)]});
  }
  chart("Equity", 240, [{label: "equity", stroke: css("--main"), width: 1.5}], [data.curve.time, data.curve.equity]);
  chart("Drawdown", 160, [{label: "drawdown", stroke: css("--down"), fill: css("--down") + "33", width: 1,
                           value: (u, x) => x === null ? "" : number(x) + " %"}],
        [data.curve.time, data.curve.drawdown.map(x => -100 * x)], {}, {values: (u, all) => all.map(x => x + " %")});
  addEventListener("resize", () => {
    for (const [plot, box, height] of plots) plot.setSize({width: box.clientWidth - 18, height});
  });
}

function rows(parent, names, lines) {
  const table = make(make(parent, "div", undefined, "wide"), "table");
  const top = make(make(table, "thead"), "tr");
  for (const name of names) make(top, "th", name);
  const body = make(table, "tbody");
  for (const line of lines) {
    const row = make(body, "tr");
    for (const [text, kind] of line) make(row, "td", text, kind);
  }
}

// From red through grey to green about the middle of all values.
function heat_colour(x, low, high) {
  if (typeof x === "string") return "rgb(46,174,118)";
  if (x === null || high === low) return "#d0d5dd";
  const share = 2 * (x - low) / (high - low) - 1;
  const to = share > 0 ? [46, 174, 118] : [222, 93, 60], grey = [226, 229, 234];
  return "rgb(" + grey.map((g, i) => Math.round(g + (to[i] - g) * Math.abs(share))).join(",") + ")";
}

function sweep() {
  const s = data.sweep;
  if (!s) return;
  const place = document.getElementById("sweep");
  make(place, "h2", "Sweep: the best of " + s.count.toLocaleString("en-US") + " runs by " + s.by);
  rows(place, [...s.names, "total return", "annual return", "Sharpe", "Sortino", "drawdown", "trades"],
       s.best.map(r => [...r.parameters.map(p => [p]), [percent(r.total_return), tone(r.total_return)],
                        [percent(r.annual_return)], [number(r.sharpe)], [number(r.sortino)],
                        [percent(r.max_drawdown)], [r.trades.toLocaleString("en-US")]]));
  if (!s.heat) return;
  const h = s.heat;
  make(place, "h2", s.by + " by " + h.rows.name + " (down) and " + h.columns.name + " (across)" +
       (s.names.length > 2 ? ", best of the others" : ""));
  const known = h.cells.flat().filter(x => typeof x === "number"), low = Math.min(...known), high = Math.max(...known);
  const table = make(make(place, "div", undefined, "wide"), "table", undefined, "heat");
  const top = make(table, "tr");
  make(top, "th", "");
  for (const x of h.columns.values) make(top, "th", x);
  h.rows.values.forEach((y, i) => {
    const row = make(table, "tr");
    make(row, "th", y);
    h.cells[i].forEach(x => { make(row, "td", typeof x === "number" ? number(x) : x ?? "").style.background = heat_colour(x, low, high); });
  });
}

function trades() {
  const place = document.getElementById("trades");
  if (!data.trades.length) return void make(place, "p", "No round trip was closed.");
  const shown = data.trades.length, all = data.metrics.trades;
  make(place, "h2", shown < all ? "The last " + shown + " of " + all.toLocaleString("en-US") + " trades" : "Trades");
  rows(place, ["symbol", "side", "opened", "closed", "quantity", "in", "out", "fees", "profit"],
       data.trades.map(t => [[t.symbol], [t.side], [time(t.opened)], [time(t.closed)], [money(t.quantity)], [money(t.entry)],
                             [money(t.exit)], [money(t.fees)], [money(t.profit), tone(Number(t.profit))]]));
}

head();
charts();
sweep();
trades();
</script>
</body>
</html>
)html";
}

}  // namespace troupe::app
