"use strict";
// What pages say aloud: the words of [data-say], once each time that they change.
document.addEventListener("htmx:afterSettle", function () {
  const place = document.querySelector("[data-announce]");
  const words = document.querySelector("[data-say]");
  if (!place || !words) return;
  const said = (words.dataset.say || words.textContent).trim();
  if (place.textContent !== said) place.textContent = said;
});

// Files are sent as a raw body, with the share that is sent, and can be cancelled.
(function () {
  const area = document.querySelector("[data-drop]");
  if (!area) return;
  const part = (name) => area.querySelector("[data-part=" + name + "]");
  const file = document.getElementById("file");
  const bar = document.getElementById("sent");
  const said = area.querySelector("[data-said]");
  const failed = area.querySelector("[data-failed]");
  let sending = null;

  function show(busy) {
    part("choose").hidden = busy;
    part("sending").hidden = !busy;
  }

  function refuse(message) {
    sending = null;
    show(false);
    file.value = "";
    failed.textContent = message;
    failed.hidden = false;
    file.focus();
  }

  function reason(request) {
    try {
      const error = JSON.parse(request.responseText).error;
      return error.message + " " + error.hint;
    } catch {
      return request.status === 401
        ? "You are not logged in any more. Reload the page."
        : "The server did not take the file. Reload the page and try again.";
    }
  }

  function send(chosen) {
    const name = chosen.name.toLowerCase();
    failed.hidden = true;
    if (!area.dataset.endings.split(" ").some((ending) => name.endsWith(ending))) {
      return refuse("“" + chosen.name + "” cannot be read. " + (name.endsWith(".xls") ? "Open it in Excel, and save it as .xlsx." : "Drop a CSV, Excel (.xlsx) or Parquet file."));
    }
    if (chosen.size > Number(area.dataset.limit)) {
      return refuse("“" + chosen.name + "” is too big: at most " + area.dataset.limitWords + " are taken.");
    }
    if (!chosen.size) return refuse("“" + chosen.name + "” is empty: export it again.");
    area.querySelector("[data-name]").textContent = chosen.name;
    bar.value = 0;
    said.textContent = "0%";
    show(true);
    area.querySelector("[data-cancel]").focus();
    sending = new XMLHttpRequest();
    const request = sending;
    request.upload.addEventListener("progress", function (event) {
      const share = Math.floor((100 * event.loaded) / (event.total || chosen.size));
      bar.value = share;
      said.textContent = share < 100 ? share + "%" : "Sent. One moment …";
    });
    request.addEventListener("load", function () {
      if (request.status === 201) {
        const taken = JSON.parse(request.responseText);
        location.assign(area.dataset.back ? area.dataset.back + "?source=" + taken.id : taken.check);
      } else refuse(reason(request));
    });
    request.addEventListener("error", () => refuse("The upload broke off: the server cannot be reached, or the file changed meanwhile. Drop it again."));
    request.addEventListener("abort", () => refuse("The upload was cancelled. Nothing was kept."));
    request.open("PUT", "/uploads?name=" + encodeURIComponent(chosen.name));
    request.send(chosen);
  }

  function take(files) {
    if (sending || !files.length) return;
    if (files.length > 1) refuse("Drop one file at a time.");
    else send(files[0]);
  }

  const carriesFiles = (event) => Array.from(event.dataTransfer.types).includes("Files");
  file.addEventListener("change", () => take(file.files));
  area.querySelector("[data-cancel]").addEventListener("click", () => sending && sending.abort());
  document.addEventListener("dragover", function (event) {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    area.classList.add("over");
  });
  document.addEventListener("dragleave", (event) => event.relatedTarget || area.classList.remove("over"));
  document.addEventListener("drop", function (event) {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    area.classList.remove("over");
    take(event.dataTransfer.files);
  });
  window.addEventListener("pageshow", (event) => event.persisted && show(false));
})();

// A part of a page that looks again waits while a pointer is held down in it: the click would be lost with its button.
(function () {
  let held = null;
  let late = null;
  function letGo() {
    const place = late;
    held = late = null;
    if (!place) return;
    const again = () => place.isConnected && htmx.ajax("GET", place.getAttribute("hx-get"), { source: place, target: place, swap: "outerHTML" });
    setTimeout(again, 300);
  }
  document.addEventListener("pointerdown", (event) => (held = event.target));
  document.addEventListener("pointerup", letGo);
  document.addEventListener("pointercancel", letGo);
  document.addEventListener("htmx:beforeSwap", function (event) {
    if (!held || !event.target.contains(held)) return;
    event.detail.shouldSwap = false;
    late = event.target;
  });
})();

// A second click on a button does not begin a second run.
document.addEventListener("submit", function (event) {
  const button = event.submitter;
  const action = button && button.hasAttribute("formaction") ? button.formAction : event.target.action;
  if (!action.endsWith("/runs")) return;
  if (event.target.dataset.sent) event.preventDefault();
  event.target.dataset.sent = "yes";
});
window.addEventListener("pageshow", function () {
  document.querySelectorAll("form[data-sent]").forEach((form) => delete form.dataset.sent);
});

// What is left empty does not have to stand in the address.
document.addEventListener("submit", function (event) {
  if (event.target.id !== "choices") return;
  const empty = Array.from(event.target.elements).filter((one) => one.name && !one.value);
  empty.forEach((one) => (one.disabled = true));
  setTimeout(() => empty.forEach((one) => (one.disabled = false)));
});

// Filters that hold nothing stay out of the address.
document.addEventListener("htmx:configRequest", function (event) {
  if (!event.target.matches("[data-brief]")) return;
  for (const [name, value] of Array.from(event.detail.formData.entries())) {
    if (value === "") event.detail.formData.delete(name);
  }
});

// A click on a bar or a field of a chart opens its people; the same links stand on the page.
document.addEventListener("drawn", function (event) {
  const place = event.target.closest("[data-opens]");
  if (!place) return;
  const plot = event.target;
  plot.removeAllListeners("plotly_click");
  plot.on("plotly_click", function (clicked) {
    const point = clicked.points[0];
    const key = place.dataset.opens === "cells" ? point.x + "-" + point.y : String(point.y);
    if (place.dataset.opens === "cells" && point.z === null) return;
    window.location.assign(place.dataset.base + "/" + place.dataset.opens + "/" + key);
  });
});

// Forms whose answer takes seconds say so on their button, and are sent once.
document.addEventListener("submit", function (event) {
  const button = event.target.dataset.busy && event.target.querySelector("button[type=submit]");
  if (!button) return;
  button.dataset.words = button.textContent;
  button.textContent = event.target.dataset.busy;
  setTimeout(() => { button.disabled = true; });
});
window.addEventListener("pageshow", function () {
  for (const button of document.querySelectorAll("button[data-words]")) {
    button.textContent = button.dataset.words;
    button.disabled = false;
  }
});
