/*
 * Bundles one pasted component as a shop's build would:
 *
 *     node bundle.mjs component.jsx out.js [react18]
 *
 * The app below is mounted on #app, with a button for each of `window.checkouts`, or one with the
 * component's own example. `show(checkouts)` gives it others; in Vue, which can keep what is not
 * shown, `show()` puts it away.
 */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { compileScript, parse } from "vue/compiler-sfc";

const [source, outfile, ...older] = process.argv.slice(2);
const component = JSON.stringify(source);
const packages = [...older.map((name) => `node_modules/${name}/node_modules`), "node_modules"];

const APPS = {
  jsx: `import { StrictMode } from "react";
        import { createRoot } from "react-dom/client";
        import * as pasted from ${component};
        const { default: PayButton, sample } = pasted;
        const root = createRoot(document.getElementById("app"));
        window.show = (checkouts) => root.render(<StrictMode>
          <h2>Shop</h2>
          {checkouts.map((checkout, n) => <PayButton key={n} checkout={checkout} />)}
        </StrictMode>);
        window.show(window.checkouts || [sample]);`,
  vue: `import { createApp, h, KeepAlive, shallowRef } from "vue";
        import * as pasted from ${component};
        const { default: PayButton, sample } = pasted;
        const first = window.checkouts || [sample];
        const given = shallowRef(first);
        window.show = (checkouts) => (given.value = checkouts);
        const kept = (n) => () => given.value && h(PayButton, { checkout: given.value[n] });
        createApp(() => [h("h2", "Shop"), first.map((_, n) => h(KeepAlive, null, kept(n)))])
          .mount("#app");`,
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
  stdin: { contents: APPS[source.split(".").pop()], loader: "jsx", resolveDir: "/" },
  nodePaths: packages.map((path) => fileURLToPath(new URL(path, import.meta.url))),
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
