/*
 * The sandbox's stand-in for the browser SDK: the same calls, an offline payment window.
 *
 * It behaves as the builds 1.1.7 to 1.3.0 do: types are not checked, what is missing is told by an
 * alert alone, the callback comes before its window is hidden, and then all frames are built anew.
 */
(function (window, document) {
  "use strict";

  var config = __CONFIG__;
  var POLL = 100; // milliseconds between two looks at a popup
  var DIALOG = 1000; // milliseconds that a phone shows a dialog before its page is posted
  var user = null;
  var shownUis = {}; // by their type
  var stage = null; // the frame that windows are shown in, hidden until one is

  function isMobile() {
    return /Android|iPhone|iPad|iPod|Mobile/.test(navigator.userAgent);
  }

  /* What of the PG is not as with most: see the table of PGs. */
  function pgOf(params) {
    var code = config.channels[params.channelKey] || String(params.pg || "").split(".")[0];
    return config.pgs[code] || {};
  }

  function leavesPage(params) {
    var own = params.bypass && params.bypass.sandbox;
    var pg = pgOf(params);
    if (!params.m_redirect_url || config.redirect === "never") {
      return false;
    }
    if (config.redirect === "always" || Boolean(own && own.redirect)) {
      return true;
    }
    if (isMobile()) {
      return !pg.callback;
    }
    return Boolean(pg.leaves) && (!pg.unless || params[pg.unless] === false);
  }

  // ---- The frame: a dialog over the page, which is inert behind it

  function build() {
    var dialog = document.createElement("dialog");
    var frame = document.createElement("iframe");
    var made = { dialog: dialog, frame: frame, payment: null };
    dialog.id = "imp-sandbox-window";
    dialog.setAttribute("role", "dialog");
    dialog.setAttribute("aria-modal", "true");
    dialog.style.cssText = "position:fixed;top:0;left:0;width:100%;height:100%;margin:0;border:0;" +
      "max-width:none;max-height:none;box-sizing:border-box;padding:0;overflow:hidden;" +
      "z-index:2147483647;background:rgba(20,24,32,.55);display:none;" +
      "align-items:center;justify-content:center";
    frame.style.cssText = "border:0;width:100%;height:100%;max-width:460px;max-height:680px;" +
      "background:#fff;border-radius:14px;box-shadow:0 18px 60px rgba(0,0,0,.35)";
    // A browser may close it by a second Escape without asking.
    dialog.addEventListener("cancel", function (event) {
      event.preventDefault();
      leave(made.payment);
    });
    dialog.addEventListener("close", function () {
      leave(made.payment);
    });
    // Each page of the window is loaded without the focus.
    frame.addEventListener("load", function () {
      if (dialog.open) {
        frame.focus();
      }
    });
    dialog.appendChild(frame);
    document.body.appendChild(dialog);
    return made;
  }

  function rebuild() {
    var old = stage;
    stage = document.body ? build() : null;
    if (old) {
      old.dialog.remove();
    }
  }

  function name(payment) {
    var text = payment.params.language === "en" ? "Payment window" : "결제창";
    stage.dialog.setAttribute("aria-label", text);
    stage.frame.title = text;
  }

  function show(payment, address) {
    if (window.innerWidth <= 520) {
      stage.frame.style.maxHeight = "none";
      stage.frame.style.borderRadius = "0";
    }
    name(payment);
    stage.frame.src = address;
    stage.dialog.style.display = "flex";
    stage.dialog.showModal();
    stage.frame.focus();
  }

  function hide(payment) {
    var shown = stage.dialog.style.display !== "none";
    stage.payment = null;
    stage.dialog.style.display = "none";
    stage.dialog.close();
    if (shown && payment && payment.focused) {
      payment.focused.focus();
    }
  }

  // ---- A payment: where it is shown, and how it ends

  /* Callback first, then hidden, then built anew: what was begun in the callback goes with that. */
  function end(payment, result) {
    if (payment.over || (!payment.popup && payment.stage !== stage)) {
      return;
    }
    payment.over = true;
    if (result) {
      try {
        payment.callback(result);
      } catch (swallowed) {
        // As by the real one.
      }
    }
    if (payment.popup) {
      payment.popup.close();
    }
    if (stage) {
      hide(payment);
    }
    rebuild();
  }

  /* The buyer closed it on this side: the server is told, and says what the callback gets. */
  function leave(payment) {
    if (!payment || !payment.impUid || payment.over || payment.left) {
      return;
    }
    payment.left = true;
    ask({ closed: payment.impUid, popup: Boolean(payment.popup) }, function (answer) {
      end(payment, answer.result);
    });
  }

  function hear(payment) {
    window.addEventListener("message", function (event) {
      var there = payment.popup || payment.stage.frame.contentWindow;
      if (event.source && event.source === there && event.origin === config.base) {
        if (payment.popup || payment.stage.payment === payment) {
          end(payment, event.data);
        }
      }
    });
  }

  function showInPage(payment, address, seconds) {
    window.setTimeout(function () {
      if (payment.stage !== stage) {
        return;
      }
      stage.payment = payment;
      hear(payment);
      show(payment, address);
    }, seconds * 1000);
  }

  function showInPopup(payment, address) {
    var timer = window.setInterval(function () {
      if (payment.popup.closed) {
        window.clearInterval(timer);
        leave(payment);
      }
    }, POLL);
    hear(payment);
    payment.popup.location.replace(address);
  }

  function leaveByPhone(payment, address) {
    show(payment, address + "/leaving");
    window.setTimeout(function () {
      var form = document.createElement("form");
      if (payment.stage !== stage) {
        return;
      }
      hide(payment);
      form.method = "post";
      form.action = address;
      form.target = "_top";
      document.body.appendChild(form);
      form.submit();
      form.remove();
    }, DIALOG);
  }

  // Where the service cannot be reached, nothing comes: no window, no callback.
  function ask(wanted, then) {
    var request = new XMLHttpRequest();
    request.open("POST", config.base + "/window");
    request.setRequestHeader("Content-Type", "application/json");
    request.onload = function () {
      if (request.status === 200) {
        then(JSON.parse(request.responseText));
      }
    };
    request.send(JSON.stringify(wanted));
  }

  // Into the page's own object, as the real one does; one that is frozen stays as it is.
  function mark(params) {
    if (typeof params === "object") {
      Reflect.set(params, "request_id", "req_" + Date.now());
      if (user.tier) {
        Reflect.set(params, "tier_code", user.tier);
      }
    }
  }

  function requestPay(params, callback) {
    var leaves, pops, payment;
    if (!user) {
      return window.alert("IMP.init을 먼저 호출해야 합니다.");
    }
    if (!params) {
      return window.alert("결제 정보가 없습니다.");
    }
    leaves = leavesPage(params);
    pops = !leaves && (params.popup === true || Boolean(pgOf(params).popup));
    payment = { params: params, callback: callback, focused: document.activeElement };
    // Within the click: a browser blocks what opens later.
    payment.popup = pops ? window.open("", "", "width=460,height=680") : null;
    if (pops && !payment.popup) {
      return window.alert("팝업이 차단되었습니다.");
    }
    if (!stage || !document.body.contains(stage.dialog)) {
      rebuild();
    }
    payment.stage = stage;
    mark(params);
    ask({
      params: params,
      userCode: user.code,
      tier: user.tier,
      version: config.version,
      mobile: isMobile(),
      redirect: leaves
    }, function (answer) {
      payment.impUid = answer.imp_uid;
      open(payment, answer, leaves);
    });
  }

  function open(payment, answer, leaves) {
    var address = config.base + answer.path;
    if (answer.refused) {
      end(payment, answer.refused);
    } else if (payment.popup) {
      showInPopup(payment, address);
    } else if (payment.stage !== stage) {
      return; // built anew since: closed with that
    } else if (leaves && isMobile()) {
      leaveByPhone(payment, address);
    } else if (leaves) {
      window.location.assign(address);
    } else {
      showInPage(payment, address, answer.after);
    }
  }

  // ---- The PG's own button or widget within the page: paypal-spb, paypal-rt, toss_brandpay

  function placeOf(type) {
    var all = document.querySelectorAll(".portone-ui-container");
    var named = Array.prototype.filter.call(all, function (each) {
      return each.getAttribute("data-portone-ui-type") === type;
    });
    return named[0] || all[0];
  }

  function removeUi(type) {
    shownUis[type].button.remove();
    delete shownUis[type];
  }

  function loadUI(type, params, callback) {
    var place = placeOf(type);
    var button = document.createElement("button");
    if (!user) {
      return window.alert("IMP.init을 먼저 호출해야 합니다.");
    }
    if (!params) {
      return window.alert("결제 정보가 없습니다.");
    }
    if (!place) {
      return window.alert("portone-ui-container가 없습니다.");
    }
    if (shownUis[type]) {
      removeUi(type);
    }
    button.type = "button";
    button.className = "imp-sandbox-ui";
    button.textContent = type;
    button.onclick = function () {
      requestPay(shownUis[type].params, callback);
    };
    shownUis[type] = { button: button, params: params };
    place.appendChild(button);
  }

  function updateLoadUIRequest(type, params) {
    if (shownUis[type] && params) {
      shownUis[type].params = params;
    }
  }

  function start(userCode, tier) {
    user = { code: userCode, tier: tier || null };
    rebuild();
  }

  function nothing() {}

  window.IMP = {
    init: function (userCode) {
      start(userCode, null);
    },
    agency: start,
    request_pay: requestPay,
    close: function () {
      if (stage) {
        hide(stage.payment);
        rebuild();
      }
    },
    // There, as pages look for them; the sandbox has only payments.
    certification: nothing,
    communicate: nothing,
    naver_zzim: nothing
  };
  if (config.version === "1.3" || config.version === "v1") {
    window.IMP.loadUI = loadUI;
    window.IMP.updateLoadUIRequest = updateLoadUIRequest;
    window.IMP.loadModule = nothing;
    window.IMP.deinit = function () {
      user = null;
      Object.keys(shownUis).forEach(removeUi);
      if (stage) {
        stage.dialog.remove();
        stage = null;
      }
    };
  }
})(window, document);
