/* Counts a page once each time that it is shown: not while it is hidden or prerendered,
   and again when it comes back from the browser's own cache. Keeps nothing. */
(function (said) {
  "use strict";
  var due = true;
  function look() {
    if (!due || document.prerendering || document.visibilityState === "hidden") return;
    due = false;
    if (!navigator.sendBeacon || !navigator.sendBeacon(said.url, said.token)) {
      fetch(said.url, {
        method: "POST", body: said.token, keepalive: true, credentials: "omit"
      }).catch(function () {});
    }
  }
  document.addEventListener("prerenderingchange", look);
  document.addEventListener("visibilitychange", look);
  addEventListener("pageshow", function (event) {
    due = due || event.persisted;
    look();
  });
  look();
})(document.currentScript.dataset);
