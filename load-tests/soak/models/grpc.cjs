// What the soak calls by gRPC: echoes each message of a stream, or one message after as many ms as it says.
const { Server, ServerCredentials } = require('@grpc/grpc-js');

const same = (bytes) => bytes;
const method = (path, isStream) => ({
  path,
  requestStream: isStream,
  responseStream: isStream,
  requestSerialize: same,
  requestDeserialize: same,
  responseSerialize: same,
  responseDeserialize: same,
});

const server = new Server();
server.addService(
  { after: method('/soak.Echo/After', false), echo: method('/soak.Echo/Echo', true) },
  {
    after: (call, done) => {
      const [ms] = call.request.toString().split(' ');
      if (ms === '0') return done(null, call.request);
      const timer = setTimeout(() => done(null, call.request), Number(ms));
      return call.once('cancelled', () => clearTimeout(timer));
    },
    echo: (call) => {
      call.on('data', (message) => call.write(message));
      call.on('end', () => call.end());
      call.on('error', () => {});
    },
  },
);
server.bindAsync(`127.0.0.1:${process.argv[2]}`, ServerCredentials.createInsecure(), (error) => {
  if (error) throw error;
});
process.once('SIGTERM', () => server.tryShutdown(() => process.exit(0)));
