// React 18 or newer. The shop's server has the file at this address: the comments at its import keep
// bundlers (Vite, webpack) from looking for it. It loads the SDK (v1/iamport.js), once.
import { useEffect, useId, useRef, useState } from "react";

const address = "/payments/imp-verify.js";
// An example of what the server makes for each order: never make a number or an amount here.
// To try the page: <PayButton checkout={sample} />. Without a checkout the button is disabled.
export const sample = {
  complete: "/payments/complete",
  userCode: "imp00000000",
  language: "en",
  params: {
    channelKey: "channel-key-00000000",
    pay_method: "card",
    merchant_uid: "ORD1001",
    name: "Oak chair",
    amount: 39000,
    buyer_name: "Hong Gildong",
    buyer_email: "buyer@shop.example",
    buyer_tel: "010-0000-0000",
    m_redirect_url: "https://shop.example/payments/redirect",
  },
};

export default function PayButton({ checkout, onResult }) {
  const id = useId();
  const button = useRef(null);
  const [trouble, setTrouble] = useState("");
  // The button opens the window, asks the server what became of it, and shows that.
  useEffect(() => {
    const pressed = button.current;
    let shown = true;
    pressed.disabled = true;
    if (!checkout) return undefined;
    import(/* @vite-ignore */ /* webpackIgnore: true */ address).then(
      () => shown && window.ImpVerify.mount(pressed, checkout),
      () => shown && setTrouble("Loading failed. Please reload the page."),
    );
    return () => {
      shown = false;
    };
  }, [checkout]);
  // After a payment it goes to m_redirect_url. To stay on this page call
  // event.preventDefault() in onResult.
  useEffect(() => {
    const pressed = button.current;
    const tell = (event) => onResult?.(event);
    pressed.addEventListener("imp-verify:result", tell);
    return () => pressed.removeEventListener("imp-verify:result", tell);
  }, [onResult]);

  return (
    <>
      <button type="button" id={id} ref={button}>Pay</button>
      <p id={id + "-status"} role="status">{trouble}</p>
    </>
  );
}
