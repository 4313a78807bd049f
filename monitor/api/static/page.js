// Times in the viewer's own zone (UTC on hover), forms that go as soon as something is chosen, and forms that change
// something: what is written in one is not lost to news, and an answer that refuses is shown as any other.
(function () {
  "use strict";
  const day = new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric", month: "short", year: "numeric" });
  const minute = new Intl.DateTimeFormat(undefined, {
    weekday: "short", day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit",
  });

  function times(root) {
    for (const each of root.querySelectorAll("time[datetime]")) {
      const at = new Date(each.dateTime);
      if (isNaN(at)) continue;
      const midnight = at.getHours() === 0 && at.getMinutes() === 0;
      each.textContent = (midnight ? day : minute).format(at);
    }
  }

  function forms(root) {
    for (const each of root.querySelectorAll("form[data-now] select")) {
      each.addEventListener("change", () => each.form.submit());
    }
    for (const each of root.querySelectorAll("form[data-now] button")) each.hidden = true;
  }

  function all(root) {
    times(root);
    forms(root);
    if (window.driftlineCharts) window.driftlineCharts(root);
  }

  document.addEventListener("htmx:beforeRequest", (event) => {
    const reloads = event.detail.requestConfig.verb === "get" && event.detail.target.id === "content";
    if (reloads && document.querySelector("details.change[open]")) event.preventDefault();
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    const page = (event.detail.xhr.getResponseHeader("content-type") || "").startsWith("text/html");
    if (event.detail.requestConfig.verb === "post" && page) event.detail.shouldSwap = true;
  });
  document.addEventListener("DOMContentLoaded", () => all(document));
  document.addEventListener("htmx:afterSettle", () => all(document));
})();
