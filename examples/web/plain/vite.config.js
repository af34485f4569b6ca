import { defineConfig } from "vite";

// The shop's server answers these, on the page's own origin.
const shop = process.env.SHOP || "http://127.0.0.1:5000";
const proxy = { "/orders": shop, "/payments": shop };

export default defineConfig({ server: { proxy }, preview: { proxy } });
