"""Trains the two revisions of the sample model `digits` on scikit-learn's bundled handwritten digits.

    python -m venv .venv && .venv/bin/pip install -r requirements.txt && .venv/bin/python train.py

v1 is a plain logistic regression, v2 a small neural network that makes less than half as many mistakes, so that
there is something to see when traffic moves. Both take a picture's 64 pixels, 0 (white) to 16 (black), row by row.
Writes v1.onnx, v2.onnx and three.json.
"""

import json
import pathlib

import numpy as np
import onnxruntime
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

HERE = pathlib.Path(__file__).parent
SEED = 7


def convert(model, path, description, zipmap):
    """Writes the model with its accuracy on the held-out pictures; returns what it says of them."""
    onnx_model = to_onnx(
        model,
        initial_types=[("image", FloatTensorType([None, 64]))],
        options={id(model): {"zipmap": zipmap}},
        target_opset={"": 21, "ai.onnx.ml": 3},
    )
    rename(onnx_model.graph, "output_label" if zipmap else "label", "label")
    rename(onnx_model.graph, "output_probability" if zipmap else "probabilities", "probabilities")
    session = onnxruntime.InferenceSession(onnx_model.SerializeToString())
    said = session.run(["label"], {"image": held_images})[0]
    accuracy = float(np.mean(said == held_labels))
    about = {
        "accuracy": f"{accuracy:.4f}",
        "description": description,
        "data": f"scikit-learn digits, trained on {len(images)}, accuracy on {len(said)} others",
    }
    for key, value in about.items():
        entry = onnx_model.metadata_props.add()
        entry.key, entry.value = key, value
    path.write_bytes(onnx_model.SerializeToString())
    print(f"{path.name}: {path.stat().st_size} bytes, accuracy {accuracy:.4f}")
    return said


def rename(graph, old, new):
    """An inner value that has the new name already gives way."""
    names = {old: new, new: f"inner_{new}"} if old != new else {}
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    for output in graph.output:
        output.name = names.get(output.name, output.name)


digits = load_digits()
images, held_images, labels, held_labels = train_test_split(
    digits.data.astype(np.float32),
    digits.target,
    test_size=0.3,
    random_state=SEED,
    stratify=digits.target,
)
v1 = LogisticRegression(max_iter=5000).fit(images, labels)
network = MLPClassifier((128,), max_iter=1000, random_state=SEED)
v2 = make_pipeline(MinMaxScaler(), network).fit(images, labels)

# v1 keeps the ZipMap that the converter adds by default: deploying it shows how it is taken out.
said_1 = convert(v1, HERE / "v1.onnx", "logistic regression", zipmap=True)
said_2 = convert(v2, HERE / "v2.onnx", "neural network with 128 hidden units", zipmap=False)

three = next(
    index for index, digit in enumerate(held_labels) if digit == said_1[index] == said_2[index] == 3
)
pixels = [int(pixel) for pixel in held_images[three]]
request = {"inputs": [{"name": "image", "shape": [1, 64], "datatype": "FP32", "data": pixels}]}
(HERE / "three.json").write_text(json.dumps(request) + "\n")
