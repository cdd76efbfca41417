"""The echo must equal the event."""


def generate(random):
    return {"text": "".join(random.choices("abc äß€", k=40)), "numbers": [random.randrange(1000) for _ in range(10)]}


def fault(event, response):
    return None if response == event else "the response is not the event"


def reference(event):
    return event
