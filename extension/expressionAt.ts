/** Which expression the cursor means: the language server's reading of a line. */
export { expressionAt } from '../language-server/source/expressionAt.js';
