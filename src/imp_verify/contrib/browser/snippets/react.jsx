//ko React 18 이상. 주소의 파일은 쇼핑몰 서버가 줍니다. 주석은 번들러(Vite, webpack)가 이 주소를 건드리지
//ko 않게 합니다. SDK(v1/iamport.js)는 이 모듈이 한 번만 불러옵니다.
//en React 18 or newer. The shop's server has the file at this address: the comments at its import keep
//en bundlers (Vite, webpack) from looking for it. It loads the SDK (v1/iamport.js), once.
import { useEffect, useId, useRef, useState } from "react";

const address = "__PREFIX__/imp-verify.js";

//ko 서버가 주문마다 만들어 주는 값의 예입니다. 브라우저에서 주문번호나 금액을 만들지 마세요.
//ko 화면을 시험할 때: <PayButton checkout={sample} />. checkout이 없으면 버튼은 비활성입니다.
//en An example of what the server makes for each order: never make a number or an amount here.
//en To try the page: <PayButton checkout={sample} />. Without a checkout the button is disabled.
export const sample = {
  complete: "__PREFIX__/complete",
  userCode: __USER_CODE__,
  language: "__LANGUAGE__",
  params: {
    __CHANNEL__
    pay_method: "card",
    merchant_uid: "__NUMBER__",
    name: "__NAME__",
    amount: __AMOUNT__,
    buyer_name: "__BUYER__",
    buyer_email: "buyer@shop.example",
    buyer_tel: "010-0000-0000",
    m_redirect_url: "__PUBLIC__/redirect",
  },
};

export default function PayButton({ checkout, onResult }) {
  const id = useId();
  const button = useRef(null);
  const [trouble, setTrouble] = useState("");

  //ko 버튼은 결제창을 열고, 결과를 서버에 물어 보여 줍니다. 판단은 언제나 서버가 합니다.
  //en The button opens the window, asks the server what became of it, and shows that.
  useEffect(() => {
    const pressed = button.current;
    let shown = true;
    pressed.disabled = true;
    if (!checkout) return undefined;
    import(/* @vite-ignore */ /* webpackIgnore: true */ address).then(
      () => shown && window.ImpVerify.mount(pressed, checkout),
      () => shown && setTrouble("__MISSING__"),
    );
    return () => {
      shown = false;
    };
  }, [checkout]);

  //ko 결제가 끝나면 m_redirect_url로 이동합니다. 이 화면에 남으려면 onResult에서
  //ko event.preventDefault()를 부르세요.
  //en After a payment it goes to m_redirect_url. To stay on this page call
  //en event.preventDefault() in onResult.
  useEffect(() => {
    const pressed = button.current;
    const tell = (event) => onResult?.(event);
    pressed.addEventListener("imp-verify:result", tell);
    return () => pressed.removeEventListener("imp-verify:result", tell);
  }, [onResult]);

  return (
    <>
      <button type="button" id={id} ref={button} disabled>__PAY__</button>
      <p id={id + "-status"} role="status">{trouble}</p>
    </>
  );
}
