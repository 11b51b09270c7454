"""V2 tensors to and from nested Python lists."""

from rouse_errors import Bad

NO_NUMBERS = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}

INTEGERS = {f"INT{bits}": (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in (8, 16, 32, 64)}
INTEGERS.update({f"UINT{bits}": (0, 2**bits - 1) for bits in (8, 16, 32, 64)})
FLOATS = ("FP16", "FP32", "FP64")
DATATYPES = ("BOOL", *INTEGERS, *FLOATS, "BYTES")

# What an array with a dtype (numpy) is called in V2.
DTYPES = {"bool": "BOOL", "float16": "FP16", "float32": "FP32", "float64": "FP64"}
DTYPES.update({name.lower(): name for name in INTEGERS})


def parse_declared(infos, what):
    """The tensors that a model declares, as its metadata shows them."""
    if not isinstance(infos, (list, tuple)):
        raise ValueError(f"{what}: found {repr(infos)[:80]}, expected a list of tensors")
    return [tensor_info(info, f"{what}[{index}]") for index, info in enumerate(infos)]


def tensor_info(info, where):
    known = info if isinstance(info, dict) else {}
    name, datatype, shape = (known.get(key) for key in ("name", "datatype", "shape"))
    labels = known.get("labels", [])
    if not (
        isinstance(name, str)
        and datatype in DATATYPES
        and is_list_of(shape, lambda size: type(size) is int and size >= -1)
        and is_list_of(labels, lambda label: isinstance(label, str) or is_finite(label))
    ):
        expected = '{"name": "text", "datatype": "BYTES", "shape": [-1]}'
        raise ValueError(f"{where}: found {repr(info)[:80]}, expected a tensor, as {expected}")
    made = {"name": name, "datatype": datatype, "shape": list(shape)}
    return {**made, "labels": list(labels)} if labels else made


def is_list_of(values, fits):
    return isinstance(values, (list, tuple)) and all(map(fits, values))


def is_finite(value):
    return type(value) in (int, float) and value - value == 0


def parse_inputs(tensors, declared, tail):
    """A nested list for each name; a plain value for shape []."""
    if not isinstance(tensors, list):
        raise Bad("inputs: expected a list of tensors")
    # A wrong name comes first: what is wrong with its values would be told of an input that there is not.
    if declared:
        check_names(tensors, declared)
    inputs = {}
    for index, tensor in enumerate(tensors):
        if not isinstance(tensor, dict) or not isinstance(tensor.get("name"), str):
            raise Bad(f'inputs[{index}]: expected {{"name": …, "shape": …, "datatype": …, "data": …}}')
        if tensor["name"] in inputs:
            raise Bad(f'input "{tensor["name"]}" is given twice')
        inputs[tensor["name"]] = parse_tensor(tensor, tail)
    if declared:
        check(tensors, declared)
    return inputs


def parse_tensor(tensor, tail):
    where = f'input "{tensor["name"]}"'
    datatype, shape, data = (tensor.get(key) for key in ("datatype", "shape", "data"))
    if datatype not in DATATYPES:
        raise Bad(f"{where}: found datatype {datatype!r}, expected one of {', '.join(DATATYPES)}")
    if not isinstance(shape, list) or not all(type(size) is int and size >= 0 for size in shape):
        raise Bad(f"{where}: found shape {shape!r}, expected a list of sizes such as [1,64]")
    count = size_of(shape)
    size = tail.size_of(tensor, where)
    if size is not None:
        return nest(tail.take(size, datatype, count, where), shape)
    if not isinstance(data, list):
        raise Bad(f"{where}: expected data, a list of values")
    values = []
    flatten(data, shape, 0, where, values)
    if len(values) != count:
        raise Bad(f"{where}: found {len(values)} values, expected {count} for shape {shape}")
    return nest([element(value, datatype, where) for value in values], shape)


def flatten(data, shape, depth, where, values):
    """Takes flat data as it is, nested data when it is nested as the shape says."""
    if depth == 0 and not any(isinstance(value, list) for value in data):
        values.extend(data)
        return
    if depth >= len(shape) or len(data) != shape[depth]:
        raise Bad(f"{where}: found a list of {len(data)} at nesting level {depth + 1}, expected shape {shape}")
    for value in data:
        if depth == len(shape) - 1 and not isinstance(value, list):
            values.append(value)
        elif isinstance(value, list):
            flatten(value, shape, depth + 1, where, values)
        else:
            raise Bad(f"{where}: found {value!r} at nesting level {depth + 1}, expected shape {shape}")


def element(value, datatype, where):
    kind = type(value)
    if datatype in FLOATS:
        if kind in (int, float):
            return float(value)
        if kind is str and value in NO_NUMBERS:
            return NO_NUMBERS[value]
    elif datatype == "BOOL":
        if kind is bool:
            return value
    elif datatype == "BYTES":
        if kind is str:
            return value
    elif kind is int and INTEGERS[datatype][0] <= value <= INTEGERS[datatype][1]:
        return value
    raise Bad(f"{where}: found {value!r:.60}, expected {datatype}")


def check_names(tensors, declared):
    names = [info["name"] for info in declared]
    for tensor in tensors:
        name = tensor.get("name") if isinstance(tensor, dict) else None
        if isinstance(name, str) and name not in names:
            raise Bad(f'input "{name}" is unknown, expected {", ".join(names)}')


def check(tensors, declared):
    names = ", ".join(info["name"] for info in declared)
    given = {tensor["name"]: tensor for tensor in tensors}
    for info in declared:
        tensor = given.get(info["name"])
        if tensor is None:
            raise Bad(f'input "{info["name"]}" is missing, expected {names}')
        if tensor["datatype"] != info["datatype"] or not fits(tensor["shape"], info["shape"]):
            found, expected = (f"{one['datatype']} {one['shape']}" for one in (tensor, info))
            raise Bad(f'input "{info["name"]}": found {found}, expected {expected} (-1: any size)')


def fits(shape, expected):
    return len(shape) == len(expected) and all(
        wanted in (-1, size) for size, wanted in zip(shape, expected)
    )


def make_output(name, value, declared):
    """A V2 output of what predict returned. Mistakes here are the model's."""
    value, dtype = plain(value), DTYPES.get(str(getattr(value, "dtype", "")))
    values = value if isinstance(value, list) else [value]
    shape, level = [], values
    while isinstance(level, list):
        shape.append(len(level))
        level = level[0] if level else None
    flat = []
    try:
        flatten(values, shape, 0, f'output "{name}"', flat)
    except Bad as problem:
        raise TypeError(f"the rows that predict returned differ in length: {problem}") from problem
    datatype = dtype or next((one["datatype"] for one in declared if one["name"] == name), None)
    return {"name": name, "datatype": datatype or datatype_of(flat, name), "shape": shape, "data": flat}


def datatype_of(values, name):
    types = {type(value) for value in values}
    if types <= {int, float}:
        return "INT64" if types == {int} else "FP64"
    if types == {bool}:
        return "BOOL"
    if types == {str}:
        return "BYTES"
    found = " and ".join(sorted(one.__name__ for one in types))
    raise TypeError(f'output "{name}" holds {found}; expected numbers, booleans or strings of one kind')


def plain(value):
    """Arrays (numpy and the like) and tuples as lists."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return value


def finite(value):
    """NaN and infinities as text."""
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {key: finite(one) for key, one in value.items()}
    return [finite(one) for one in value] if isinstance(value, list) else value


def nest(values, shape):
    if not shape:
        return values[0]
    for depth in range(len(shape) - 1, 0, -1):
        size, rows = shape[depth], size_of(shape[:depth])
        values = [values[row * size : (row + 1) * size] for row in range(rows)]
    return values


def size_of(shape):
    size = 1
    for one in shape:
        size *= one
    return size
