-- What wrk sends (METHOD BODY_BYTES after --), and its summary as one line of JSON.
function init(args)
  wrk.method = args[1]
  local bytes = tonumber(args[2])
  if bytes > 0 then
    wrk.body = string.rep("x", bytes)
    wrk.headers["Content-Type"] = "application/octet-stream"
  end
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '{"micros":%d,"requests":%d,"bytes":%d,"failed":%d,"p50Micros":%d,"p99Micros":%d}\n',
    summary.duration, summary.requests, summary.bytes,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
