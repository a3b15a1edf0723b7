/** Styles are bundled by esbuild; the import is only for its sake. */
declare module '*.css';
