/*
 * Bundles one pasted component as a shop's build would: node bundle.mjs component.jsx out.js
 * It is mounted on #app.
 */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { compileScript, parse } from "vue/compiler-sfc";

const [source, outfile] = process.argv.slice(2);
const component = JSON.stringify(source);

const MOUNTS = {
  jsx: `import { StrictMode } from "react";
        import { createRoot } from "react-dom/client";
        import PayButton from ${component};
        createRoot(document.getElementById("app")).render(<StrictMode><PayButton /></StrictMode>);`,
  vue: `import { createApp } from "vue";
        import PayButton from ${component};
        createApp(PayButton).mount("#app");`,
};

const singleFileComponents = {
  name: "vue",
  setup({ onLoad }) {
    onLoad({ filter: /\.vue$/ }, async ({ path }) => {
      const { descriptor, errors } = parse(await readFile(path, "utf8"), { filename: path });
      if (errors.length) throw errors[0];
      return { contents: compileScript(descriptor, { id: "pay", inlineTemplate: true }).content };
    });
  },
};

await build({
  stdin: { contents: MOUNTS[source.split(".").pop()], loader: "jsx", resolveDir: "/" },
  nodePaths: [fileURLToPath(new URL("node_modules", import.meta.url))],
  plugins: [singleFileComponents],
  bundle: true,
  format: "iife",
  jsx: "automatic",
  outfile,
  define: {
    "process.env.NODE_ENV": '"development"',
    __VUE_OPTIONS_API__: "false",
    __VUE_PROD_DEVTOOLS__: "false",
    __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: "false",
  },
  logLevel: "error",
});
