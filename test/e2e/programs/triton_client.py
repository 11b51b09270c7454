"""Calls models with Triton's clients and with grpcio: triton_client.py 127.0.0.1:8080. Prints what it got."""

import json
import sys

import grpc
import numpy
import tritonclient.grpc
import tritonclient.http

address = sys.argv[1]


def infer(library, client, model, name, values, datatype):
    tensor = library.InferInput(name, list(values.shape), datatype)
    tensor.set_data_from_numpy(values)
    return client.infer(model, [tensor])


def texts(array):
    return [one.decode() for one in array.flatten()]


def call_all(library):
    client = library.InferenceServerClient(address)
    image = numpy.array(json.loads(sys.argv[2]), dtype=numpy.float32)
    words = numpy.array(["what a great day", "how awful"], dtype=object)
    cold = client.is_model_ready("digits")
    digits = infer(library, client, "digits", "image", image, "FP32")
    feeling = infer(library, client, "sentiment", "text", words, "BYTES")
    doubled = infer(library, client, "double", "x", numpy.array([[1.5, -2.0]]), "FP64")
    try:
        infer(library, client, "nobody", "x", image, "FP32")
        refused = "not at all"
    except tritonclient.utils.InferenceServerException as error:
        refused = str(error)
    return {
        "live": client.is_server_live() and client.is_server_ready(),
        "ready": cold,
        "label": digits.as_numpy("label").tolist(),
        "probabilities": list(digits.as_numpy("probabilities").shape),
        "feeling": texts(feeling.as_numpy("label")),
        "scores": [score > 0 for score in feeling.as_numpy("score").tolist()],
        "doubled": doubled.as_numpy("y").tolist(),
        "refused": refused,
    }


def call_echo():
    with grpc.insecure_channel(address) as channel:
        echo = channel.unary_unary("/test.Echo/Unary")
        answer, call = echo.with_call(b"hello", metadata=[("rouse-model", "echo")], timeout=30)
        initial = dict(call.initial_metadata())
        try:
            echo(b"", metadata=[("rouse-model", "nobody")])
            refused = "not at all"
        except grpc.RpcError as error:
            refused = error.code().name
    return {"answer": answer.decode(), "cold": initial["rouse-cold-start"], "refused": refused}


metadata = tritonclient.grpc.InferenceServerClient(address).get_model_metadata("digits", as_json=True)
print(
    json.dumps(
        {
            "http": call_all(tritonclient.http),
            "grpc": call_all(tritonclient.grpc),
            "inputs": [one["name"] for one in metadata["inputs"]],
            "echo": call_echo(),
        }
    )
)
