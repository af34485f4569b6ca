import { StrictMode, useEffect, useState } from "react";
import { createRoot } from "react-dom/client";
import PayButton from "./PayButton.jsx";

const order = new URLSearchParams(location.search).get("order") || "ORD1001";

function Checkout() {
  const [checkout, setCheckout] = useState(null);

  useEffect(() => {
    fetch("/orders/" + order + "/checkout").then(async (answer) => {
      if (answer.ok) setCheckout(await answer.json());
    });
  }, []);

  return (
    <>
      <h1>Checkout</h1>
      {checkout && <PayButton checkout={checkout} />}
    </>
  );
}

createRoot(document.getElementById("app")).render(
  <StrictMode>
    <Checkout />
  </StrictMode>,
);
