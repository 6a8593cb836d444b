"use strict";
(function () {
  const CONFIG = JSON.parse(document.getElementById("config").textContent);
  const PRINTED = 640, PRINTED_SHARE = 0.78; // pixels across a page; of the height on the screen
  const plots = Array.from(document.querySelectorAll(".plot"));
  const topology = document.getElementById("topology");
  if (topology) window.PlotlyGeoAssets = { topojson: { world_110m: JSON.parse(topology.textContent) } };

  function variable(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  function layoutOf(figure, width) {
    const data = figure.data;
    const layout = structuredClone(figure.layout);
    const narrow = width < 560;
    delete layout.title;
    delete layout.meta;
    layout.width = width;
    layout.paper_bgcolor = "rgba(0,0,0,0)";
    layout.font = Object.assign({}, layout.font, { color: variable("--ink"), size: narrow ? 11 : 13 });
    layout.margin = Object.assign({}, layout.margin, { t: Math.max(12, (layout.margin.t || 0) - 40) });
    layout.hoverlabel = Object.assign({}, layout.hoverlabel, { bgcolor: variable("--card"), bordercolor: variable("--line"), font: { color: variable("--ink") } });
    for (const key of Object.keys(layout)) {
      if (/^[xy]axis\d*$/.test(key)) {
        Object.assign(layout[key], { gridcolor: variable("--grid"), zerolinecolor: variable("--line"), linecolor: variable("--line"), tickcolor: variable("--line") });
        delete layout[key].color;
      }
    }
    for (const shape of layout.shapes || []) {
      if (shape.line) shape.line.color = variable("--ink");
    }
    if (layout.geo) {
      layout.geo.landcolor = variable("--grid");
      layout.height = Math.min(layout.height, Math.round(width * 0.5) + 40);
    }
    if (narrow) {
      for (const note of layout.annotations || []) {
        if ((note.text || "").includes("<br>")) {
          note.text = note.text.split("<br>").pop().replace(" · ", "<br>");
          note.font = Object.assign({}, note.font, { size: 9 });
        }
      }
      for (const trace of data) {
        if (trace.type === "choropleth") trace.showscale = false;
      }
    }
    if (narrow && layout.showlegend !== false && data.length > 1) {
      layout.legend = { orientation: "h", yref: "container", y: 0, yanchor: "bottom", x: 0 };
      layout.height = (layout.height || 380) + 24 * data.length;
    }
    return layout;
  }

  function draw(plot, width) {
    const figure = JSON.parse(document.getElementById("figure-" + plot.dataset.chart).textContent);
    plot.classList.remove("waiting");
    plot.style.minHeight = "0";
    const room = width || plot.clientWidth;
    const layout = layoutOf(figure, room);
    if (width) {
      layout.height = Math.round(PRINTED_SHARE * (layout.height || 380));
      layout.font.size = 10;
    }
    return Plotly.newPlot(plot, figure.data, layout, Object.assign({}, CONFIG, { responsive: false })).then(function () {
      plot.dataset.drawn = String(room);
      plot.dispatchEvent(new CustomEvent("drawn", { bubbles: true }));
    });
  }

  const seen = new IntersectionObserver(function (entries) {
    for (const entry of entries) {
      if (entry.isIntersecting) {
        seen.unobserve(entry.target);
        draw(entry.target);
      }
    }
  }, { rootMargin: "300px" });
  plots.forEach(function (plot) { seen.observe(plot); });

  function again() {
    plots.forEach(function (plot) { if (plot.dataset.drawn) draw(plot); });
  }
  let waiting = 0;
  let width = window.innerWidth;
  window.addEventListener("resize", function () {
    if (window.innerWidth === width) return;
    width = window.innerWidth;
    clearTimeout(waiting);
    waiting = setTimeout(again, 150);
  });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  window.addEventListener("beforeprint", function () {
    plots.forEach(function (plot) { seen.unobserve(plot); draw(plot, PRINTED); });
  });
  window.addEventListener("afterprint", again);
  window.drawAll = function () {
    plots.forEach(function (plot) { seen.unobserve(plot); });
    return Promise.all(plots.map(function (plot) { return plot.dataset.drawn ? null : draw(plot); }));
  };
})();
