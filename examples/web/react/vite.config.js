import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// The shop's server answers these, on the page's own origin.
const shop = process.env.SHOP || "http://127.0.0.1:5000";
const proxy = { "/orders": shop, "/payments": shop };

export default defineConfig({ plugins: [react()], server: { proxy }, preview: { proxy } });
