/* The sandbox's stand-in for the browser SDK: the same calls, an offline payment window. */
(function (window, document) {
  "use strict";

  var config = __CONFIG__;
  var user = null;

  function start(userCode, tier) {
    if (user) {
      throw new Error("IMP.init was called already");
    }
    user = { code: userCode, tier: tier || null };
  }

  function isMobile() {
    return /Android|iPhone|iPad|iPod|Mobile/.test(navigator.userAgent);
  }

  function leavesPage(params) {
    var own = params.bypass && params.bypass.sandbox;
    if (!params.m_redirect_url || config.redirect === "never") {
      return false;
    }
    return config.redirect === "always" || isMobile() || Boolean(own && own.redirect);
  }

  function failure(params, message) {
    var answer = config.style === "classic" ? { success: false } : {};
    answer.imp_uid = null;
    answer.merchant_uid = params.merchant_uid;
    answer.error_code = "SANDBOX_REFUSED";
    answer.error_msg = message;
    return answer;
  }

  function typeProblem(params) {
    if (typeof params.amount !== "number") {
      return "amount는 숫자여야 합니다.";
    }
    return typeof params.merchant_uid === "string" ? null : "merchant_uid는 문자열이어야 합니다.";
  }

  function overlay(address) {
    var cover = document.createElement("div");
    var frame = document.createElement("iframe");
    cover.id = "imp-sandbox-window";
    cover.style.cssText = "position:fixed;top:0;left:0;width:100%;height:100%;" +
      "z-index:2147483647;background:rgba(20,24,32,.55);display:flex;" +
      "align-items:center;justify-content:center";
    frame.title = "Sandbox payment window";
    frame.style.cssText = "border:0;width:100%;height:100%;max-width:460px;max-height:680px;" +
      "background:#fff;border-radius:14px;box-shadow:0 18px 60px rgba(0,0,0,.35)";
    if (window.innerWidth <= 520) {
      frame.style.maxHeight = "none";
      frame.style.borderRadius = "0";
    }
    frame.src = address;
    cover.appendChild(frame);
    document.body.appendChild(cover);
    return { cover: cover, frame: frame };
  }

  function hear(shown, close, done) {
    function listen(event) {
      if (event.source !== shown || event.origin !== config.base) {
        return;
      }
      window.removeEventListener("message", listen);
      close();
      done(event.data);
    }
    window.addEventListener("message", listen);
  }

  function showInPage(address, done) {
    var shown = overlay(address);
    hear(shown.frame.contentWindow, function () {
      document.body.removeChild(shown.cover);
    }, done);
  }

  // A buyer who closes it is not told of, as with the real ones: no callback.
  function showInPopup(popup, address, done) {
    popup.location.replace(address);
    hear(popup, function () {
      popup.close();
    }, done);
  }

  function ask(wanted, then) {
    var request = new XMLHttpRequest();
    request.open("POST", config.base + "/window");
    request.setRequestHeader("Content-Type", "application/json");
    request.onload = function () {
      then(JSON.parse(request.responseText));
    };
    request.onerror = function () {
      then({ refused: failure(wanted.params, "결제창을 열 수 없습니다.") });
    };
    request.send(JSON.stringify(wanted));
  }

  function requestPay(params, callback) {
    var done = callback || function () {};
    var leaves = leavesPage(params);
    var pops = !leaves && params.popup === true;
    var problem = user ? typeProblem(params) : "IMP.init을 먼저 호출해야 합니다.";
    // Within the click: a browser blocks what opens later.
    var popup = !problem && pops ? window.open("", "", "width=460,height=680") : null;
    if (pops && !popup) {
      problem = problem || "팝업이 차단되었습니다.";
    }
    if (problem) {
      window.setTimeout(function () {
        done(failure(params, problem));
      }, 0);
      return;
    }
    ask({
      params: params,
      userCode: user.code,
      tier: user.tier,
      style: config.style,
      mobile: isMobile(),
      redirect: leaves
    }, function (answer) {
      if (answer.refused) {
        if (popup) {
          popup.close();
        }
        done(answer.refused);
      } else if (leaves) {
        window.location.assign(config.base + answer.path);
      } else if (popup) {
        showInPopup(popup, config.base + answer.path, done);
      } else {
        showInPage(config.base + answer.path, done);
      }
    });
  }

  window.IMP = {
    init: function (userCode) {
      start(userCode, null);
    },
    agency: start,
    request_pay: requestPay
  };
})(window, document);
