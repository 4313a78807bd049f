// Draws what `monitor/api/charts.py` describes. A figure with `data-chart` gets its chart in its `.plot`; everything in
// it is also in the table below it. Names are data: they go onto a canvas, or into text, never into markup.
(function () {
  "use strict";
  const drawn = new Map();
  const three = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 3 });
  const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
  const instant = new Intl.DateTimeFormat(undefined, {
    day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit",
  });

  function number(value) {
    if (value === null || value === undefined) return "–";
    return Math.abs(value) >= 1000 ? whole.format(value) : three.format(value);
  }
  const percent = (share) => (share === null ? "–" : three.format(100 * share) + " %");
  const when = (ms) => instant.format(new Date(ms)) + " (" + new Date(ms).toISOString().slice(0, 16).replace("T", " ") + " UTC)";

  function colours() {
    const style = getComputedStyle(document.documentElement);
    const of = (name) => style.getPropertyValue("--" + name).trim();
    return {
      ink: of("ink"), soft: of("soft"), line: of("line"), faint: of("faint"), card: of("card"), live: of("live"),
      reference: of("reference"), changed: of("changed"), broken: of("broken"),
    };
  }

  function clear(colour, alpha) {
    const n = parseInt(colour.slice(1), 16);
    return "rgba(" + (n >> 16) + "," + ((n >> 8) & 255) + "," + (n & 255) + "," + alpha + ")";
  }

  // The tooltip is made of elements: no text of a column or category is ever read as markup.
  function lines(rows) {
    const box = document.createElement("div");
    for (const row of rows) {
      const line = document.createElement("div");
      line.textContent = row;
      box.append(line);
    }
    return box;
  }

  function base(c) {
    return {
      animation: false,
      textStyle: { fontFamily: getComputedStyle(document.body).fontFamily, color: c.soft },
      grid: { left: 8, right: 16, top: 16, bottom: 8, containLabel: true },
      tooltip: {
        trigger: "axis", confine: true, backgroundColor: c.card, borderColor: c.line, extraCssText: "",
        textStyle: { color: c.ink, fontSize: 13 }, axisPointer: { lineStyle: { color: c.soft } },
      },
    };
  }
  const quietAxis = (c, more) => Object.assign({
    axisLine: { lineStyle: { color: c.line } }, axisTick: { show: false },
    axisLabel: { color: c.soft, hideOverlap: true, fontSize: 12 }, splitLine: { lineStyle: { color: c.faint } },
  }, more);
  // Draws nothing, but has the axis reach so far.
  const reach = (at, values) => ({ type: "line", silent: true, symbol: "none", lineStyle: { opacity: 0 }, tooltip: { show: false },
    data: values.filter((value) => value !== null && value !== undefined).map((value) => [at, value]) });
  // Labels stand beside the plot, at the end of what they name, and make room for each other. The height of a line is
  // told: ECharts measures a Chinese sign for it, which is low where no font has one.
  const named = (name, colour) => ({ endLabel: { show: true, formatter: name, color: colour, fontSize: 11, lineHeight: 14, distance: 6 },
    labelLayout: { moveOverlap: "shiftY" } });
  const beside = { left: 8, right: 74, top: 16, bottom: 8, containLabel: true };
  // A level line over all times, half an hour to both sides of a single one.
  const level = (c, name, value, times, type) => {
    const ends = times.length > 1 ? [times[0], times[times.length - 1]] : [times[0] - 1800000, times[0] + 1800000];
    return Object.assign({ type: "line", silent: true, symbol: "none", lineStyle: { color: c.reference, type, width: 1 },
      tooltip: { show: false }, data: ends.map((at) => [at, value]) }, named(name, c.soft));
  };
  const timeAxis = (c) => quietAxis(c, { type: "time", splitLine: { show: false } });

  const kinds = {
    density(chart, c) {
      const bars = chart.bars;
      const density = (bar, share) => share / (bar[1] - bar[0]);
      // A rectangle a bar, between two densities.
      const draw = (name, between, style) => ({
        type: "custom", name, data: bars.map((bar) => [bar[0], bar[1], ...between(bar)]), clip: true, silent: true,
        renderItem(_, api) {
          const ends = [api.coord([api.value(0), api.value(2)]), api.coord([api.value(1), api.value(3)])];
          const top = Math.min(ends[0][1], ends[1][1]);
          const shape = { x: ends[0][0], y: top, width: Math.max(ends[1][0] - ends[0][0], 1), height: Math.max(ends[0][1], ends[1][1]) - top };
          return { type: "rect", shape, style };
        },
        encode: { x: [0, 1], y: [2, 3] },
      });
      const inRange = chart.range
        ? { silent: true, symbol: "none", label: { show: false }, lineStyle: { color: c.soft, type: "dotted" },
            data: chart.range.map((x) => ({ xAxis: x })) } : undefined;
      return Object.assign(base(c), {
        tooltip: Object.assign(base(c).tooltip, { formatter(points) {
          const x = points[0].axisValue;
          const bar = bars.find((one) => x >= one[0] && x <= one[1]);
          if (!bar) return "";
          return lines([number(bar[0]) + " to " + number(bar[1]), "reference " + percent(bar[2]), "this span " + percent(bar[3])]);
        } }),
        xAxis: quietAxis(c, { type: "value", min: bars[0][0], max: bars[bars.length - 1][1], splitLine: { show: false },
          axisPointer: { show: true, label: { show: false } }, axisLabel: { color: c.soft, hideOverlap: true, fontSize: 12,
            showMinLabel: false, showMaxLabel: false, formatter: number } }),
        yAxis: quietAxis(c, { type: "value", min: 0, axisLabel: { show: false }, splitLine: { show: false } }),
        series: [
          Object.assign(draw("reference", (bar) => [density(bar, bar[2]), 0], { fill: clear(c.reference, .45) }), { markLine: inRange }),
          draw("difference", (bar) => [density(bar, bar[2]), density(bar, bar[3])], { fill: clear(c.live, .3) }),
          draw("this span", (bar) => [density(bar, bar[3]), 0], { fill: "none", stroke: c.live, lineWidth: 1.2 }),
          { type: "line", data: bars.map((bar) => [(bar[0] + bar[1]) / 2, 0]), symbol: "none", lineStyle: { opacity: 0 } },
        ],
      });
    },

    pairs(chart, c) {
      const rows = chart.rows.slice().reverse();
      return Object.assign(base(c), {
        height: null,
        tooltip: Object.assign(base(c).tooltip, { axisPointer: { type: "shadow" }, formatter(points) {
          const row = rows[points[0].dataIndex];
          return lines([row[0] + (row[3] ? " (" + row[3] + ")" : ""), "reference " + percent(row[1]), "this span " + percent(row[2])]);
        } }),
        xAxis: quietAxis(c, { type: "value", min: 0, axisLabel: { color: c.soft, hideOverlap: true, formatter: (v) => three.format(100 * v) + " %" } }),
        yAxis: quietAxis(c, { type: "category", data: rows.map((row) => row[0] + (row[3] ? " · " + row[3] : "")),
          axisLabel: { color: c.ink, fontSize: 12, width: 130, overflow: "truncate", interval: 0 } }),
        series: [
          { type: "bar", name: "this span", data: rows.map((row) => row[2]), itemStyle: { color: c.live }, barMaxWidth: 9, barGap: "10%" },
          { type: "bar", name: "reference", data: rows.map((row) => row[1]), itemStyle: { color: clear(c.reference, .7) }, barMaxWidth: 9 },
        ],
      });
    },

    bands(chart, c) {
      const band = (low, high, alpha, stack) => [
        { type: "line", stack, data: chart.points.map((p) => [p[0], p[low]]), symbol: "none", lineStyle: { opacity: 0 }, silent: true, stackStrategy: "all" },
        { type: "line", stack, data: chart.points.map((p) => [p[0], p[high] - p[low]]), symbol: "none", lineStyle: { opacity: 0 },
          areaStyle: { color: clear(c.live, alpha) }, silent: true, stackStrategy: "all" },
      ];
      const r = chart.reference;
      const times = chart.points.map((p) => p[0]);
      const known = r && times.length ? [[r[4], "ref. 95 %"], [r[2], "ref. median"], [r[0], "ref. 5 %"]] : [];
      return Object.assign(base(c), {
        grid: known.length ? beside : base(c).grid,
        tooltip: Object.assign(base(c).tooltip, { formatter(points) {
          const p = chart.points[points[0].dataIndex];
          return lines([when(p[0]), "median " + number(p[3]), "half of them in " + number(p[2]) + " to " + number(p[4]),
            "nine of ten in " + number(p[1]) + " to " + number(p[5])]);
        } }),
        xAxis: timeAxis(c), yAxis: quietAxis(c, { type: "value", scale: true, axisLabel: { color: c.soft, formatter: number } }),
        series: [...band(1, 5, .16, "wide"), ...band(2, 4, .28, "narrow"),
          { type: "line", data: chart.points.map((p) => [p[0], p[3]]), symbol: chart.points.length > 1 ? "none" : "circle",
            lineStyle: { color: c.live, width: 2 }, itemStyle: { color: c.live } },
          ...known.map((one) => level(c, one[1], one[0], times, "dashed"))],
      });
    },

    lines(chart, c) {
      const palette = [c.live, c.changed, c.broken, c.soft];
      return Object.assign(base(c), {
        grid: { left: 8, right: chart.lines.length ? 96 : 20, top: 16, bottom: 8, containLabel: true },
        tooltip: Object.assign(base(c).tooltip, { formatter(points) {
          return lines([when(points[0].value[0]), ...points.map((p) => p.seriesName + " " + number(p.value[1]) + (chart.unit ? " " + chart.unit : ""))]);
        } }),
        xAxis: timeAxis(c),
        yAxis: quietAxis(c, { type: "value", min: 0, axisLabel: { color: c.soft, formatter: (v) => number(v) + (chart.unit ? " " + chart.unit : "") } }),
        series: chart.lines.map((line, i) => ({
          type: "line", name: line.name, data: line.points, symbol: line.points.length > 1 ? "none" : "circle", connectNulls: false,
          lineStyle: { color: palette[i % 4], width: 1.8, type: ["solid", "dashed", "dotted", "solid"][i % 4] }, itemStyle: { color: palette[i % 4] },
          ...named("{a}", palette[i % 4]),
        })),
      });
    },

    strength(chart, c) {
      return Object.assign(base(c), {
        grid: chart.points.length ? beside : base(c).grid,
        tooltip: Object.assign(base(c).tooltip, { formatter(points) {
          const p = chart.points[points[0].dataIndex];
          return lines([when(p[0]), number(p[1]) + " times the smallest effect that counts", p[3] ? "the season: not changed beside " + p[3] : p[2] ? "changed" : "not changed: it may be chance"]);
        } }),
        xAxis: timeAxis(c), yAxis: quietAxis(c, { type: "value", min: 0, axisLabel: { color: c.soft, formatter: number } }),
        series: [{ type: "line", lineStyle: { color: c.reference, width: 1.2 }, symbol: "circle", symbolSize: 7, showAllSymbol: true,
          data: chart.points.map((p) => ({ value: [p[0], p[1]], symbol: p[3] ? "diamond" : "circle", itemStyle: p[3] ? { color: c.reference } : p[2] ? { color: c.changed } : { color: c.card, borderColor: c.reference, borderWidth: 1.2 } })) },
          ...(chart.points.length ? [level(c, "counts\nfrom here", 1, chart.points.map((p) => p[0]), "dashed")] : [])],
      });
    },

    bars(chart, c) {
      return Object.assign(base(c), {
        tooltip: Object.assign(base(c).tooltip, { formatter: (p) => lines([when(p[0].value[0]), whole.format(p[0].value[1]) + " events"]) }),
        xAxis: timeAxis(c), yAxis: quietAxis(c, { type: "value", min: 0, axisLabel: { color: c.soft, formatter: number } }),
        series: [{ type: "bar", data: chart.points, itemStyle: { color: clear(c.reference, .75) }, barMaxWidth: 14, large: true }],
      });
    },

    heat(chart, c) {
      const hatch = document.createElement("canvas");
      hatch.width = hatch.height = 7;
      const pen = hatch.getContext("2d");
      pen.strokeStyle = c.line;
      pen.beginPath(); pen.moveTo(0, 7); pen.lineTo(7, 0); pen.stroke();
      const dots = document.createElement("canvas");
      dots.width = dots.height = 5;
      const dot = dots.getContext("2d");
      dot.fillStyle = c.line; dot.fillRect(0, 0, 5, 5);
      dot.fillStyle = c.reference; dot.fillRect(1, 1, 2, 2);
      const rows = chart.columns.slice().reverse();
      const n = rows.length;
      // Windows shorter than a day are told by their time, and by the day where one begins.
      const short = chart.ends.some((ms, i) => i > 0 && ms - chart.ends[i - 1] < 82800000);
      const ends = (ms) => {
        const at = new Date(ms);
        return short && (at.getHours() || at.getMinutes()) ? at.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" })
          : at.toLocaleDateString(undefined, { day: "numeric", month: "short" });
      };
      const shade = (cell) => {
        if (cell[5]) return { image: dots, repeat: "repeat" };
        const strength = Math.min(cell[2] === null ? 0 : cell[2], 8);
        return cell[3] ? clear(c.changed, .45 + .55 * Math.sqrt(Math.max(strength - 1, 0) / 7)) : c.faint;
      };
      return Object.assign(base(c), {
        grid: { left: 8, right: 12, top: 8, bottom: 8, containLabel: true, show: true, backgroundColor: { image: hatch, repeat: "repeat" }, borderWidth: 0 },
        tooltip: Object.assign(base(c).tooltip, { trigger: "item", formatter(p) {
          const cell = p.data.cell;
          const head = [chart.columns[cell[1]], "window until " + when(chart.ends[cell[0]])];
          if (cell[5]) return lines([...head, cell[4] + " beside the whole reference", "the season: not changed beside " + cell[5]]);
          return lines(cell[3] ? [...head, cell[4], number(cell[2]) + " times the smallest effect that counts"]
            : [...head, "not changed (" + number(cell[2]) + " of the smallest effect that counts)"]);
        } }),
        xAxis: quietAxis(c, { type: "category", data: chart.ends.map((ms) => ends(ms)),
          splitLine: { show: false }, axisLabel: { color: c.soft, hideOverlap: true, fontSize: 12 } }),
        yAxis: quietAxis(c, { type: "category", data: rows, splitLine: { show: false }, triggerEvent: true,
          axisLabel: { color: c.ink, fontSize: 12, width: window.innerWidth < 640 ? 96 : 190, overflow: "truncate", interval: 0 } }),
        series: [{
          type: "heatmap", progressive: 4000, emphasis: { itemStyle: { borderColor: c.ink, borderWidth: 1 } },
          data: chart.cells.map((cell) => ({ value: [cell[0], n - 1 - cell[1], cell[2]], cell,
            itemStyle: { color: shade(cell), borderColor: c.card, borderWidth: chart.ends.length > 200 ? 0 : 1 } })),
        }],
        visualMap: { show: false, min: 0, max: 1, seriesIndex: 9 }, // the heat map asks for one; the cells have colours of their own
      });
    },

    measured(chart, c) {
      const points = chart.points;
      const times = [...new Set([...points, ...chart.estimate].map((p) => p[0]))].sort((a, b) => a - b);
      const last = (own) => own.length > 0 && own[own.length - 1][0] === times[times.length - 1];
      const usual = chart.spread && chart.spread[0] !== null ? { silent: true, itemStyle: { color: clear(c.reference, .14) },
        data: [[{ yAxis: chart.spread[0] }, { yAxis: chart.spread[1] }]] } : undefined;
      return Object.assign(base(c), {
        grid: times.length ? beside : base(c).grid,
        tooltip: Object.assign(base(c).tooltip, { formatter(shown) {
          const at = shown[0].value[0];
          const p = points.find((one) => one[0] === at);
          const e = chart.estimate.find((one) => one[0] === at);
          return lines([when(at), ...(p ? ["measured " + number(p[1]) + " [" + number(p[2]) + ", " + number(p[3]) + "]",
            percent(p[4]) + " labelled" + (p[5] ? ", provisional" : "")] : []), ...(e ? ["estimated " + number(e[1])] : [])]);
        } }),
        xAxis: timeAxis(c), yAxis: quietAxis(c, { type: "value", scale: true, axisLabel: { color: c.soft, formatter: number } }),
        series: [
          { type: "custom", silent: true, data: points, encode: { x: 0, y: [2, 3] }, renderItem(_, api) {
            if (!isFinite(api.value(2)) || !isFinite(api.value(3))) return undefined;
            const low = api.coord([api.value(0), api.value(2)]), high = api.coord([api.value(0), api.value(3)]);
            return { type: "line", shape: { x1: low[0], y1: low[1], x2: high[0], y2: high[1] },
              style: { stroke: clear(c.live, .2 + .4 * (api.value(4) || 0)), lineWidth: 3 } };
          } },
          { type: "line", name: "measured", symbol: "circle", symbolSize: 6, lineStyle: { color: c.live, width: 1.4 }, markArea: usual, ...(last(points) ? named("measured", c.live) : {}),
            data: points.map((p) => ({ value: [p[0], p[1]], itemStyle: { color: p[5] ? c.card : c.live, borderColor: c.live, borderWidth: 1.5, opacity: .35 + .65 * (p[4] === null ? 1 : p[4]) } })) },
          { type: "line", name: "estimated", data: chart.estimate, symbol: "none", lineStyle: { color: c.soft, type: "dashed", width: 1.4 }, ...(last(chart.estimate) ? named("estimated", c.soft) : {}) },
          ...(times.length && chart.reference !== null ? [level(c, "reference", chart.reference, times, "solid")] : []),
          ...(times.length ? [reach(times[0], chart.spread || [])] : []),
        ],
      });
    },

    parts(chart, c) {
      const rows = chart.rows.slice().reverse();
      return Object.assign(base(c), {
        tooltip: Object.assign(base(c).tooltip, { axisPointer: { type: "none" }, formatter(p) {
          const row = rows[p[0].dataIndex];
          return lines([row[0], number(row[1]) + (row[2] === null ? "" : " [" + number(row[2]) + ", " + number(row[3]) + "]")]);
        } }),
        xAxis: quietAxis(c, { type: "value", axisLabel: { color: c.soft, hideOverlap: true, formatter: number } }),
        yAxis: quietAxis(c, { type: "category", data: rows.map((row) => row[0]), axisLabel: { color: c.ink, width: 150, overflow: "truncate" } }),
        series: [
          { type: "bar", data: rows.map((row) => row[1]), barMaxWidth: 22, itemStyle: { color: c.live } },
          { type: "custom", silent: true, data: rows.map((row, i) => [row[2], row[3], i]), encode: { x: [0, 1], y: 2 }, renderItem(_, api) {
            if (!isFinite(api.value(0)) || !isFinite(api.value(1))) return undefined;
            const low = api.coord([api.value(0), api.value(2)]), high = api.coord([api.value(1), api.value(2)]);
            return { type: "line", shape: { x1: low[0], y1: low[1], x2: high[0], y2: high[1] }, style: { stroke: c.ink, lineWidth: 1.5 } };
          } },
        ],
      });
    },
  };

  function heightOf(chart) {
    if (chart.kind === "pairs") return 40 + 24 * chart.rows.length;
    if (chart.kind === "heat") return 44 + 22 * chart.columns.length;
    return 0;
  }

  function draw(figure) {
    const plot = figure.querySelector(".plot");
    const chart = JSON.parse(figure.dataset.chart);
    const height = heightOf(chart);
    if (height) plot.style.height = height + "px";
    const made = echarts.getInstanceByDom(plot) || echarts.init(plot, null, { renderer: "canvas" });
    made.setOption(kinds[chart.kind](chart, colours()), true);
    plot.classList.add("done");
    if (drawn.get(plot)) return;
    drawn.set(plot, figure);
    if (chart.kind === "heat") {
      made.on("click", (event) => {
        const row = event.componentType === "yAxis" ? chart.columns.indexOf(event.value) : event.data && event.data.cell[1];
        const link = typeof row === "number" && chart.links[row];
        if (link) window.location.assign(link);
      });
    }
    if (chart.brush && figure.dataset.range && window.matchMedia("(pointer: fine)").matches) brush(made, figure.dataset.range);
  }

  // Dragging over a time axis goes to the same screen for that span, which then stands in the address.
  function brush(made, target) {
    made.setOption({ brush: { xAxisIndex: 0, brushMode: "single", transformable: false, throttleType: "debounce",
      brushStyle: { color: "rgba(120,130,140,.18)", borderColor: "rgba(120,130,140,.6)" } }, toolbox: { show: false } });
    made.dispatchAction({ type: "takeGlobalCursor", key: "brush", brushOption: { brushType: "lineX", brushMode: "single" } });
    made.on("brushEnd", (event) => {
      const span = event.areas[0] && event.areas[0].coordRange;
      if (!span || span[1] - span[0] < 60000) return;
      const url = new URL(target, window.location.href);
      url.searchParams.set("from", new Date(span[0]).toISOString().slice(0, 16) + "Z");
      url.searchParams.set("to", new Date(span[1]).toISOString().slice(0, 16) + "Z");
      window.location.assign(url);
    });
  }

  window.driftlineCharts = function (root) {
    for (const plot of [...drawn.keys()]) {
      if (!plot.isConnected) { const old = echarts.getInstanceByDom(plot); if (old) old.dispose(); drawn.delete(plot); }
    }
    for (const figure of root.querySelectorAll("figure[data-chart]")) draw(figure);
  };
  const again = () => { for (const figure of drawn.values()) draw(figure); };
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  window.addEventListener("resize", () => { for (const plot of drawn.keys()) echarts.getInstanceByDom(plot).resize(); });
})();
