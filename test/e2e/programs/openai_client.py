"""Calls the samples with OpenAI's client: openai_client.py http://127.0.0.1:8080/v1. Prints what it got."""

import json
import sys

from openai import APIStatusError, OpenAI

client = OpenAI(base_url=sys.argv[1], api_key="sk-foreign", max_retries=0)
messages = [{"role": "user", "content": "Are you awake?"}]


def failure(**arguments):
    try:
        client.chat.completions.create(**arguments)
    except APIStatusError as error:
        return {"kind": type(error).__name__, "status": error.status_code, "message": str(error)}


whole = client.chat.completions.create(model="chat", messages=messages)
stream = client.chat.completions.create(model="chat", messages=messages, stream=True)
pieces = [chunk.choices[0].delta.content or "" for chunk in stream]
embeddings = client.embeddings.create(model="embed", input=["a cat", "the cat"])
print(
    json.dumps(
        {
            "models": [model.id for model in client.models.list()],
            "whole": whole.choices[0].message.content,
            "streamed": "".join(pieces),
            "pieces": len(pieces),
            "embeddings": [len(one.embedding) for one in embeddings.data],
            "unknown": failure(model="nobody", messages=messages),
            "wrong": failure(model="chat", messages=[]),
        }
    )
)
