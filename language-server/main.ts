/** The language server as a process: `chronofork lsp` on stdin and stdout. */
import { createConnection, ProposedFeatures } from 'vscode-languageserver/node.js';
import { HistoryServer } from './server.js';

/** Resolves never: the process ends with its client, as the protocol has it. */
export function serveLanguage(): void {
  const connection = createConnection(ProposedFeatures.all, process.stdin, process.stdout);
  const server = new HistoryServer(connection);
  const end = (): never => {
    server.stop();
    process.exit(0);
  };
  // Also of a client that was killed: a server without one shall not be.
  process.stdin.on('end', end);
  process.stdin.on('close', end);
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, end);
  connection.listen();
}
