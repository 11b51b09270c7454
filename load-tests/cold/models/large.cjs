// Like listen.cjs, with 128 MiB that every request reads, as the weights of a model are read.
const { createServer } = require('node:http');

const PAGE = 4096;
const weights = Buffer.alloc(128 * 2 ** 20);
for (let at = 0; at < weights.length; at += PAGE) weights.writeDoubleLE(Math.random(), at);

createServer((request, response) => {
  let sum = 0;
  for (let at = 0; at < weights.length; at += PAGE) sum += weights[at];
  response.end(`${sum}\n`);
}).listen({ fd: Number(process.argv[2]) });
