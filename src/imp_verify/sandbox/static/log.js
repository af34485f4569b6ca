/* The list of payments follows what happens: it waits for the journal, then fetches itself. */
(function () {
  "use strict";

  var log = document.getElementById("log");
  var live = document.getElementById("live");
  var last = Number(log.dataset.last);
  var soon = 300;

  function say(text) {
    if (live.textContent !== text) {
      live.textContent = text;
    }
  }

  function pause(milliseconds) {
    return new Promise(function (done) {
      window.setTimeout(done, milliseconds);
    });
  }

  // What somebody has unfolded or stands on stays so.
  function put(fresh) {
    var old = document.getElementById("seen");
    var unfolded = old.querySelectorAll("details[open]");
    var focused = document.activeElement;
    var scrolled = old.querySelector(".scroll");
    scrolled = scrolled ? scrolled.scrollLeft : 0;
    var within = old.contains(focused) ? focused : null;
    old.replaceWith(document.importNode(fresh.getElementById("seen"), true));
    var now = document.getElementById("seen");
    unfolded.forEach(function (each) {
      var same = now.querySelector('details[data-entry="' + each.dataset.entry + '"]');
      if (same) {
        same.open = true;
      }
    });
    if (now.querySelector(".scroll")) {
      now.querySelector(".scroll").scrollLeft = scrolled;
    }
    if (within) {
      stand(now, within);
    }
  }

  function stand(now, before) {
    var entry = before.closest("details[data-entry]");
    var same = before.id ? document.getElementById(before.id) : null;
    if (!same && entry) {
      same = now.querySelector('details[data-entry="' + entry.dataset.entry + '"] summary');
    }
    if (!same && before.href) {
      same = Array.prototype.find.call(now.querySelectorAll("a"), function (link) {
        return link.href === before.href;
      });
    }
    if (same) {
      same.focus({ preventScroll: true });
    }
  }

  async function refresh() {
    var answer = await fetch("/" + window.location.search, { cache: "no-store" });
    if (!answer.ok) {
      throw new Error("HTTP " + answer.status);
    }
    show(await answer.text());
  }

  function show(text) {
    var fresh = new DOMParser().parseFromString(text, "text/html");
    put(fresh);
    last = Number(fresh.getElementById("log").dataset.last);
  }

  // What is done here leads to this very page: it is put in place, so that nothing moves.
  document.addEventListener("submit", function (event) {
    var form = event.target;
    var button = event.submitter;
    if (event.defaultPrevented || !form.closest("#seen")) {
      return;
    }
    event.preventDefault();
    var path = button && button.hasAttribute("formaction") ? button.formAction : form.action;
    fetch(path, { method: "POST" })
      .then(function (answer) {
        return answer.ok ? answer.text() : Promise.reject(new Error("HTTP " + answer.status));
      })
      .then(show)
      .catch(function () {
        delete form.dataset.sent;
        form.classList.remove("sent");
        say(live.dataset.lost);
      });
  });

  async function wait() {
    var answer = await fetch("/sandbox/v1/journal?wait=25&after=" + last, { cache: "no-store" });
    if (!answer.ok) {
      throw new Error("HTTP " + answer.status);
    }
    return Number(answer.headers.get("Journal-Last")) > last;
  }

  async function follow() {
    var lost = false;
    for (;;) {
      try {
        if (lost || (await wait())) {
          await refresh();
        }
        lost = false;
        say(live.dataset.live);
        await pause(soon);
      } catch (error) {
        lost = true;
        say(live.dataset.lost);
        await pause(2000);
      }
    }
  }

  // Older pages stand still: what is read there is not to run away.
  if (log.dataset.first) {
    say(live.dataset.live);
    void follow();
  }
})();
