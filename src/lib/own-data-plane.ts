import { Agent, type ClientRequestArgs, request as requestHttp } from 'node:http';
import { Agent as TlsAgent, request as requestHttps } from 'node:https';
import { connect } from 'node:net';

/**
 * How Rouse calls its own data plane: by its port, as everybody on this machine does. Its certificate is for other
 * names than the address, and is not looked at. Connections are kept.
 */
export interface OwnDataPlane {
  readonly request: typeof requestHttp;
  readonly agent: Agent;
}

/**
 * PROXY protocol, version 2, command LOCAL: who connects speaks for itself. From an address of this machine the data plane
 * takes it of everybody.
 */
const LOCAL_HEADER = Buffer.from('0d0a0d0a000d0a515549540a20000000', 'hex');

/** @param proxyProtocol connections have to begin with its header. */
export function createOwnDataPlane(url: string, proxyProtocol: boolean): OwnDataPlane {
  const keepAlive = true;
  if (new URL(url).protocol === 'https:') {
    const options = { keepAlive, rejectUnauthorized: false };
    const agent = proxyProtocol ? new HeadedTlsAgent(options) : new TlsAgent(options);
    return { request: requestHttps, agent };
  }
  const agent = proxyProtocol ? new HeadedAgent({ keepAlive }) : new Agent({ keepAlive });
  return { request: requestHttp, agent };
}

type Create = Agent['createConnection'];

class HeadedAgent extends Agent {
  override createConnection(...[options, done]: Parameters<Create>): ReturnType<Create> {
    const socket = super.createConnection(options, done);
    socket?.write(LOCAL_HEADER);
    return socket;
  }
}

class HeadedTlsAgent extends TlsAgent {
  override createConnection(...[options, done]: Parameters<Create>): ReturnType<Create> {
    const plain = connect(placeOf(options));
    plain.write(LOCAL_HEADER);
    const secure = super.createConnection(Object.assign({}, options, { socket: plain }), done);
    plain.on('error', (error) => secure?.destroy(error));
    return secure;
  }
}

function placeOf({ host, port }: ClientRequestArgs): { host: string; port: number } {
  return { host: host ?? 'localhost', port: Number(port) };
}
