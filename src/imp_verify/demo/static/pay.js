/* The buyer's half of a payment. It decides nothing: the shop's server does, and this shows it. */
(function () {
  "use strict";

  var checkout = JSON.parse(document.getElementById("checkout").textContent);
  var form = document.getElementById("pay-form");
  var button = document.getElementById("pay");
  var message = document.getElementById("message");
  var AGAIN = { failed: true, cancelled: true, invalid: true };
  var RECHECKS = 5;
  var busy = false;
  var ready = false;

  function say(text, tone) {
    message.textContent = String(text).slice(0, 300);
    message.className = tone;
    message.hidden = false;
  }

  function rest(canPayAgain) {
    busy = !canPayAgain;
    button.disabled = !canPayAgain;
  }

  // Whatever the window said: with an id the server looks the payment up, and its answer counts.
  function complete(impUid, left) {
    fetch(checkout.complete, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ imp_uid: impUid, merchant_uid: checkout.params.merchant_uid })
    }).then(function (answer) {
      return answer.json();
    }).then(function (answer) {
      return answer && typeof answer.status === "string" ? answer.status : "unreadable";
    }).catch(function () {
      return "unreadable";
    }).then(function (status) {
      show(status, impUid, left);
    });
  }

  function show(status, impUid, left) {
    if (status === "success" || status === "vbankIssued") {
      window.location.assign(checkout.order);
    } else if (checkout.words["say_" + status]) {
      say(checkout.words["say_" + status], "bad");
      rest(AGAIN[status] === true);
    } else {
      say(checkout.words.say_checking, "wait");
      if (left > 0) {
        window.setTimeout(complete, 3000, impUid, left - 1);
      }
    }
  }

  function request() {
    var params = Object.assign({}, checkout.params);
    var how = form.elements.how.value;
    if (how === "vbank") {
      params.pay_method = "vbank";
    }
    if (how === "card_redirect") {
      params.bypass = { sandbox: { redirect: true } };
    }
    if (form.elements.confirm.checked) {
      params.confirm_url = checkout.confirm;
    }
    if (form.elements.tamper.checked) {
      params.amount = params.currency === "KRW" ? 100 : 1;
    }
    return params;
  }

  form.addEventListener("submit", function (event) {
    var answered = false;
    event.preventDefault();
    if (busy) {
      return;
    }
    if (!window.IMP) {
      say(checkout.words.say_no_sdk, "bad");
      return;
    }
    rest(false);
    say(checkout.words.say_window, "wait");
    if (!ready) {
      window.IMP.init(checkout.userCode);
      ready = true;
    }
    window.IMP.request_pay(request(), function (result) {
      if (answered) {
        return;
      }
      answered = true;
      if (result && result.imp_uid) {
        say(checkout.words.say_checking, "wait");
        complete(result.imp_uid, RECHECKS);
      } else {
        say(result && result.error_msg || checkout.words.say_not_opened, "bad");
        rest(true);
      }
    });
  });

  // The browser may bring this page back as it was left for the window.
  window.addEventListener("pageshow", function (event) {
    if (event.persisted) {
      window.location.reload();
    }
  });
})();
