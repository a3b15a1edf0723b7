/**
 * The commands of lenses, links and code actions. What fails is told to the
 * person, once, for they have asked for it; the answer is also the command's
 * own, for clients that want to show it themselves.
 */
import { LSPErrorCodes, MessageType, ResponseError, type CancellationToken } from 'vscode-languageserver';
import { listOfCalls, momentOfCall } from './features/calls.js';
import { listOfValues, listOfWrites } from './features/lists.js';
import { presentFrame } from './features/presentFrame.js';
import { type HistoryCommand, type HistoryCommands, type HistoryList } from './protocol/historyProtocol.js';
import { Refused } from './sessions/adapterLink.js';
import type { LiveSession } from './sessions/liveSession.js';
import type { HistoryServer, Shown } from './server.js';

type Runner<C extends HistoryCommand> = (argument: HistoryCommands[C], token: CancellationToken) => Promise<unknown>;

const where: Record<string, string> = {
  previous: 'before this moment',
  next: 'after this moment',
  first: 'in the recording',
  last: 'in the recording',
};

export class Commands {
  constructor(private readonly server: HistoryServer) {}

  async run(command: string, argument: unknown, token: CancellationToken): Promise<unknown> {
    const runner = Object.hasOwn(this.runners, command) ? this.runners[command as HistoryCommand] : undefined;
    if (!runner) throw new ResponseError(LSPErrorCodes.RequestFailed, `There is no command "${command}".`);
    try {
      return (await (runner as Runner<HistoryCommand>)(argument as never, token)) ?? null;
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      if (error.code !== 'cancelled') this.server.tell(MessageType.Error, sentence(error));
      return null;
    }
  }

  private readonly runners: { [C in HistoryCommand]: Runner<C> } = {
    'chronofork.history.goToMoment': async ({ adapter, moment }) => {
      const session = this.server.sessions.byAdapter(adapter);
      if (!session) throw new Refused('notLaunched', 'The debug session has ended.');
      await this.goTo(session, moment);
    },
    'chronofork.history.goToCall': async ({ uri, name, which }, token) => {
      const { session, path } = await this.shown(uri, token);
      const moment = await momentOfCall(session, path, name, which, token);
      if (moment) await this.goTo(session, moment.id);
      else this.server.tell(MessageType.Info, `${name} is not called ${where[which]}.`);
    },
    'chronofork.history.listCalls': async (argument, token) => {
      const { session, path } = await this.shown(argument.uri, token);
      const name = 'name' in argument ? argument.name : functionAt(session, path, argument.line);
      if (name === undefined) throw new Refused('noSuchFunction', 'Put the cursor into a function of the program.');
      const declared = session.knownFunctionsOf(path).find((one) => one.name === name);
      return this.show(argument.uri, declared?.line ?? 1, await listOfCalls(session, path, name, token));
    },
    'chronofork.history.listWrites': async ({ uri, expression }, token) => {
      const { session } = await this.shown(uri, token);
      const frame = await presentFrame(session, this.server.sessions.frameIn(session), token);
      if (!frame) throw new Refused('noCode', 'The program stands where there is no source.');
      return this.show(uri, frame.line, await listOfWrites(session, frame.id, expression, token));
    },
    'chronofork.history.logExpression': async ({ uri, line, expression }, token) => {
      const { session, path } = await this.shown(uri, token);
      return this.show(uri, line, await listOfValues(session, path, line, expression, token));
    },
    'chronofork.history.count': async ({ uri }, token) => {
      const { session, path } = await this.shown(uri, token);
      await this.server.counter.count(session, path, true);
    },
  };

  private async goTo(session: LiveSession, moment: number): Promise<void> {
    const { outcome, message } = await session.goTo(moment);
    if (outcome !== 'found' && message) this.server.tell(MessageType.Info, message);
  }

  private async shown(uri: string, token: CancellationToken): Promise<Shown> {
    const shown = await this.server.shown(uri, token);
    if (!shown) throw new Refused('noCode', 'No open debug session has a program that was built from this file.');
    if (!shown.session.view) throw new Refused('running', 'The program is running. Pause it first.');
    return shown;
  }

  private show(uri: string, line: number, list: HistoryList): HistoryList {
    this.server.showList(uri, line, list);
    return list;
  }
}

function functionAt(session: LiveSession, path: string, line: number): string | undefined {
  return session.knownFunctionsOf(path).find((one) => one.line <= line && line <= one.endLine)?.name;
}

function sentence(error: Refused): string {
  return error.code === 'stale' ? 'The program has gone on meanwhile. Ask again where it stands.' : error.message;
}
