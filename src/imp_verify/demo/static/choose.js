/* What a visitor of the demo chooses goes into the window's parameters. Of the amount, too: a buyer
   can change whatever a page holds, and the server has to find out. */
(function () {
  "use strict";

  var form = document.getElementById("pay-form");
  var button = document.getElementById("pay");
  var given = document.querySelector("script[data-imp-verify]").textContent;

  function choose() {
    var config = JSON.parse(given);
    var params = config.params;
    var how = form.elements.how.value;
    if (how === "vbank") {
      params.pay_method = "vbank";
    }
    if (how === "card_redirect") {
      params.bypass = { sandbox: { redirect: true } };
    }
    if (!form.elements.confirm.checked) {
      params.confirm_url = null;
    }
    if (form.elements.tamper.checked) {
      params.amount = params.currency === "KRW" ? 100 : 1;
    }
    window.ImpVerify.mount(button, config);
  }

  form.addEventListener("change", choose);
  choose();
  // What is chosen before anybody listens would be shown and not asked for.
  form.querySelectorAll("fieldset").forEach(function (fieldset) {
    fieldset.disabled = false;
  });
})();
