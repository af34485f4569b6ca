import { StrictMode, useEffect, useState } from "react";
import { createRoot } from "react-dom/client";
import PayButton from "./PayButton.jsx";

const order = new URLSearchParams(location.search).get("order") || "ORD1001";

function Checkout() {
  const [checkout, setCheckout] = useState(null);
  const [message, setMessage] = useState("");

  useEffect(() => {
    fetch("/orders/" + order + "/checkout").then(async (answer) => {
      const told = await answer.json();
      if (answer.ok) setCheckout(told);
      else setMessage(told.message); // 마감되었거나 없는 주문입니다
    });
  }, []);

  return (
    <>
      <h1>주문서</h1>
      {message ? <p>{message}</p> : <PayButton checkout={checkout} />}
    </>
  );
}

createRoot(document.getElementById("app")).render(
  <StrictMode>
    <Checkout />
  </StrictMode>,
);
