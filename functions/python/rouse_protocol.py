"""The Open Inference Protocol V2 and V1 over a model's predict(inputs)."""

import json
import platform
import os
import re
import sys
import traceback

import rouse_binary
import rouse_tensors
from rouse_errors import Bad

V2_MODEL = re.compile(r"/v2/models/([^/]+)(?:/versions/([^/]+))?(/ready|/infer)?")
V1_MODEL = re.compile(r"/v1/models/([^/:]+)(:predict)?")
# Characters of what a model failed with that are told.
MOST_TOLD = 300


class Model:
    def __init__(self, module):
        self.predict = module.predict
        self.inputs = rouse_tensors.parse_declared(getattr(module, "inputs", []), "inputs")
        self.outputs = rouse_tensors.parse_declared(getattr(module, "outputs", []), "outputs")
        self.revision = os.environ.get("ROUSE_REVISION")

    def metadata(self):
        return {"platform": "rouse_python", "inputs": self.inputs, "outputs": self.outputs}

    def call(self, inputs):
        """An error with a `status` from 400 to 499 tells the caller what was wrong; any other is the model's own."""
        try:
            return self.predict(inputs)
        except Exception as error:
            if 400 <= getattr(error, "status", 0) <= 499:
                raise Bad(str(error)) from error
            raise


def answer(model, request):
    """Status, body and, where tensors follow its JSON, the length of that; for a request that was read whole."""
    try:
        return route(model, request)
    except Bad as problem:
        return problem.status, error(problem), None
    except Exception as problem:
        traceback.print_exc()
        return 500, error(failure(problem)), None


def failure(problem):
    if not os.environ.get("ROUSE_TELL_FAILURES"):
        return "the model failed; its log says why"
    shown = traceback.TracebackException(type(problem), problem, None)
    # They come behind the message.
    shown.__notes__ = None
    words = list(shown.format_exception_only())[-1]
    return f"the model failed: {words.splitlines()[0][:MOST_TOLD]}"


def error(message):
    return to_bytes({"error": str(message)})


def route(model, request):
    v2, v1 = V2_MODEL.fullmatch(request.path), V1_MODEL.fullmatch(request.path)
    if v2:
        name, version, action = v2.groups()
        key = "v2" + (action or "")
    elif v1:
        name, version, key = v1.group(1), None, "v1" + (v1.group(2) or "")
    else:
        name, version, key = "", None, request.path
    if key not in ROUTES:
        raise Bad(f"no such path: {request.path[:200]}", 404)
    method, handler = ROUTES[key]
    if request.method != method:
        raise Bad(f"found {request.method}, expected {method}", 405)
    reply, tail = handler(model, request, unquote(name), version), b""
    if key == "v2/infer":
        reply, tail = reply
    body = to_bytes(reply)
    return 200, body + tail, len(body) if tail else None


def unquote(name):
    if "%" not in name:
        return name
    from urllib.parse import unquote as decode  # Slow to import, and hardly ever needed.

    return decode(name)


def server_metadata(_model, _request, _name, _version):
    return {"name": "python", "version": platform.python_version(), "extensions": ["binary_tensor_data"]}


def model_metadata(model, _request, name, _version):
    versions = [model.revision] if model.revision else []
    return {"name": name, "versions": versions, **model.metadata()}


def infer(model, request, name, version):
    head, tail = rouse_binary.split(request.body, request.headers.get("inference-header-content-length"))
    asked = parse(bytes(head))
    if not isinstance(asked, dict):
        raise Bad('expected an object such as {"inputs": [...]}')
    inputs = rouse_tensors.parse_inputs(asked.get("inputs"), model.inputs, tail)
    tail.check_end()
    everything = rouse_binary.flag(asked, "binary_data_output", "the request") or False
    wanted = parse_wanted(asked.get("outputs"), everything)
    result = columns_of_result(model.call(inputs), model)
    for output in wanted or ():
        if output not in result:
            raise Bad(f'output "{output}" is unknown, expected one of {", ".join(result)}')
    names = list(wanted or result)
    made = [rouse_tensors.make_output(key, result[key], model.outputs) for key in names]
    binary = [wanted[key] if wanted else everything for key in names]
    tensors = [rouse_binary.take_data(one) for one, is_binary in zip(made, binary) if is_binary]
    reply = {"model_name": name, "model_version": version or model.revision, "id": asked.get("id")}
    reply = {key: value for key, value in reply.items() if value is not None}
    return {**reply, "outputs": made}, b"".join(tensors)


def parse(body):
    try:
        return json.loads(body, parse_constant=refuse_constant)
    except (ValueError, RecursionError) as problem:
        raise Bad(f"the request is no JSON: {problem}") from problem


def refuse_constant(name):
    raise ValueError(f"found {name}, which JSON has not; write it as a string")


def parse_wanted(outputs, everything):
    """The outputs that are asked for, and whether each is to come as binary data."""
    if outputs is None:
        return None
    if not isinstance(outputs, list) or not all(
        isinstance(output, dict) and isinstance(output.get("name"), str) for output in outputs
    ):
        raise Bad('outputs: expected a list such as [{"name": "y"}]')
    wanted = {}
    for output in outputs:
        binary = rouse_binary.flag(output, "binary_data", f'output "{output["name"]}"')
        wanted[output["name"]] = everything if binary is None else binary
    return wanted


def columns_of_result(result, model):
    """A dict has a value for each output; anything else is the value of the only one."""
    if isinstance(result, dict):
        return result
    return {model.outputs[0]["name"] if model.outputs else "output": result}


def predict(model, request, _name, _version):
    asked = parse(request.body)
    instances = asked.get("instances") if isinstance(asked, dict) else None
    if not isinstance(instances, list) or not instances:
        raise Bad('instances: expected a list with a row or more: {"instances": [row, row]}')
    result = model.call(columns_of_rows(instances, [info["name"] for info in model.inputs]))
    columns = {
        key: rouse_tensors.plain(value) for key, value in columns_of_result(result, model).items()
    }
    for key, column in columns.items():
        if not isinstance(column, list) or len(column) != len(instances):
            message = f'predict returned no list of {len(instances)} values as "{key}"'
            print(message, file=sys.stderr)
            raise Bad(f"the model failed: {message}, one for each instance", 500)
    if len(columns) == 1:
        return {"predictions": next(iter(columns.values()))}
    rows = zip(*columns.values())
    return {"predictions": [dict(zip(columns, row)) for row in rows]}


def columns_of_rows(rows, names):
    """Rows that are objects name their inputs; others are the values of the only one."""
    first = rows[0]
    if len(names) == 1 and not (isinstance(first, dict) and names[0] in first):
        return {names[0]: rows}
    if not names and not isinstance(first, dict):
        return {"instances": rows}
    keys = names or list(first)
    for index, row in enumerate(rows):
        if not isinstance(row, dict) or set(row) != set(keys):
            raise Bad(f"instances[{index}]: expected an object with {', '.join(keys)}")
    return {key: [row[key] for row in rows] for key in keys}


def to_bytes(value):
    try:
        return json.dumps(value, allow_nan=False).encode()
    except ValueError:  # NaN or an infinity: text, as in the JSON form of protocol buffers.
        return json.dumps(rouse_tensors.finite(value)).encode()


ROUTES = {
    "/v2": ("GET", server_metadata),
    "/v2/health/live": ("GET", lambda *_: {"live": True}),
    "/v2/health/ready": ("GET", lambda *_: {"ready": True}),
    "v2": ("GET", model_metadata),
    "v2/ready": ("GET", lambda _model, _request, name, _version: {"name": name, "ready": True}),
    "v2/infer": ("POST", infer),
    "v1": ("GET", lambda _model, _request, name, _version: {"name": name, "ready": True}),
    "v1:predict": ("POST", predict),
}
