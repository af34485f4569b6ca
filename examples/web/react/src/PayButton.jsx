// React 18 이상. 주소의 파일은 쇼핑몰 서버가 줍니다. 주석은 번들러(Vite, webpack)가 이 주소를 건드리지
// 않게 합니다. SDK(v1/iamport.js)는 이 모듈이 한 번만 불러옵니다.
import { useEffect, useId, useRef, useState } from "react";

const address = "/payments/imp-verify.js";

// 서버가 주문마다 만들어 주는 값의 예입니다. 브라우저에서 주문번호나 금액을 만들지 마세요.
// 화면을 시험할 때: <PayButton checkout={sample} />. checkout이 없으면 버튼은 비활성입니다.
export const sample = {
  complete: "/payments/complete",
  userCode: "imp00000000",
  language: "ko",
  params: {
    channelKey: "channel-key-00000000",
    pay_method: "card",
    merchant_uid: "ORD1001",
    name: "참나무 의자",
    amount: 39000,
    buyer_name: "홍길동",
    buyer_email: "buyer@shop.example",
    buyer_tel: "010-0000-0000",
    m_redirect_url: "https://shop.example/payments/redirect",
  },
};

export default function PayButton({ checkout, onResult }) {
  const id = useId();
  const button = useRef(null);
  const [trouble, setTrouble] = useState("");

  // 버튼은 결제창을 열고, 결과를 서버에 물어 보여 줍니다. 판단은 언제나 서버가 합니다.
  useEffect(() => {
    const pressed = button.current;
    let shown = true;
    pressed.disabled = true;
    if (!checkout) return undefined;
    import(/* @vite-ignore */ /* webpackIgnore: true */ address).then(
      () => shown && window.ImpVerify.mount(pressed, checkout),
      () => shown && setTrouble("결제 모듈을 불러오지 못했습니다. 페이지를 새로 고침해 주세요."),
    );
    return () => {
      shown = false;
    };
  }, [checkout]);

  // 결제가 끝나면 m_redirect_url로 이동합니다. 이 화면에 남으려면 onResult에서
  // event.preventDefault()를 부르세요.
  useEffect(() => {
    const pressed = button.current;
    const tell = (event) => onResult?.(event);
    pressed.addEventListener("imp-verify:result", tell);
    return () => pressed.removeEventListener("imp-verify:result", tell);
  }, [onResult]);

  return (
    <>
      <button type="button" id={id} ref={button} disabled>결제하기</button>
      <p id={id + "-status"} role="status">{trouble}</p>
    </>
  );
}
