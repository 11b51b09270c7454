import { connect, type Socket } from 'node:net';

/** Opens many connections to a port and says so; ends with its parent. */
const [port = 0, count = 0] = process.argv.slice(2).map(Number);
const AT_ONCE = 200;
const sockets: Socket[] = [];

function open(): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', resolve);
    socket.on('error', reject);
    socket.on('close', () => process.send?.({ closed: true }));
    sockets.push(socket);
  });
}

for (let n = 0; n < count; n += AT_ONCE) {
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, count - n) }, open));
}
process.on('disconnect', () => process.exit());
process.send?.({ open: sockets.length });
