/* The sandbox's own pages: one click sends one form, and a result goes to the page around. */
(function () {
  "use strict";

  document.addEventListener("submit", function (event) {
    var form = event.target;
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = "1";
    form.classList.add("sent");
    if (event.submitter && form.dataset.working) {
      event.submitter.textContent = form.dataset.working;
    }
  });

  // As the button that closes the window does.
  document.addEventListener("keydown", function (event) {
    var close = document.querySelector("button[formaction$='/close']");
    if (event.key === "Escape" && close) {
      event.preventDefault();
      close.click();
    }
  });

  // A page that the browser took out of its cache can be used again.
  window.addEventListener("pageshow", function (event) {
    if (event.persisted) {
      window.location.reload();
    }
  });

  var data = document.getElementById("result");
  if (data) {
    var content = JSON.parse(data.textContent);
    var page = window.opener || window.parent;
    if (page === window) {
      document.querySelector("[data-alone]").hidden = false;
    } else {
      page.postMessage(content.result, content.origin);
    }
  }
})();
