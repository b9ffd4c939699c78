"""The management node of the broker that tests use, as Qpid Broker-J has one."""

from __future__ import annotations

import proton


def manage(broker, data, reply):
    """Do what the request *data* says, and *reply*."""
    request = proton.Message()
    request.decode(data)
    said = request.properties
    status, body = _do(broker, said, request.body or {})
    answer = proton.Message(
        properties={
            "statusCode": proton.int32(status),
            "statusDescription": f"{status}",
        },
        correlation_id=request.correlation_id,
        body=body,
    )
    reply(request.reply_to, answer.encode())


def _do(broker, said, body):
    operation, kind = said["operation"], said["type"].rpartition(".")[2]
    if operation == "CREATE":
        return _create(broker, kind, body)
    name = said["key"]
    if broker.objects.get(name, {}).get("kind") != kind:
        return 404, b""
    return _ACTIONS[operation](broker, name, said)


def _create(broker, kind, body):
    name = body["name"]
    if name in broker.objects:
        return 409, b""
    broker.objects[name] = {"kind": kind, **body}
    if kind == "Queue":
        broker.queue(name)
    return 201, body


def _read(broker, name, said):
    attributes = {k: v for k, v in broker.objects[name].items() if v is not None}
    return 200, attributes


def _count(broker, name, said):
    bound = [binding for binding in broker.bindings if binding[0] == name]
    return 200, {
        "availableMessages": proton.int32(len(broker.queues.get(name, ()))),
        "consumerCount": proton.int32(_consumers(broker, name)),
        "bindingCount": proton.int32(len(bound)),
    }


def _consumers(broker, name):
    return sum(
        queue == name
        for client in broker.clients
        for queue, _ in client.senders.values()
    )


def _delete(broker, name, said):
    del broker.objects[name]
    broker.queues.pop(name, None)
    return 204, b""


def _bind(broker, name, said):
    if said["destination"] not in broker.objects:
        return 404, b""
    broker.bindings.append((name, said["destination"], said["bindingKey"]))
    return 200, True


def _unbind(broker, name, said):
    binding = name, said["destination"], said["bindingKey"]
    found = binding in broker.bindings
    if found:
        broker.bindings.remove(binding)
    return 200, found


_ACTIONS = {
    "READ": _read,
    "getStatistics": _count,
    "DELETE": _delete,
    "bind": _bind,
    "unbind": _unbind,
}
