"""Load on the Chat API as people make it: short and long questions, some with a history, a third of them streamed."""

import json
import random

from locust import HttpUser, between, task

QUESTIONS = (
    "What is the capital of Portugal?",
    "Write a haiku about autumn rain.",
    "Explain to a ten-year-old why the sky is blue.",
    "Translate 'Where is the railway station?' into Italian and French.",
    "Summarise in three sentences: a port that two services want can be had by only one of them. Whoever starts first "
    "wins, and the other fails, at times hours later and far away from the cause.",
    "Review this function and name its bug:\n\ndef mean(values):\n    return sum(values) / len(values)\n",
    "Draft a polite e-mail that moves tomorrow's meeting to Thursday afternoon.",
    "Compare PostgreSQL and ClickHouse for metrics in a table of five rows.",
    "List ten names for a cat that likes to sleep on warm servers.",
    "A train leaves at 9:40 and arrives at 13:05. How long does it take? Show the steps.",
)
HISTORY = [
    {"role": "user", "content": "I plan a trip of four days to Lisbon in May."},
    {"role": "assistant", "content": "May is mild and not yet crowded. What do you like: museums, food or the sea?"},
]


class Person(HttpUser):
    """Asks, reads the answer, asks again."""

    wait_time = between(1, 5)

    def ask(self, name: str, **more):
        chosen, length = random.choice(QUESTIONS), random.choice((32, 64, 128))  # noqa: S311
        body = {"message": chosen, "max_tokens": length, **more}
        return self.client.post("/chat", json=body, name=name, stream=more.get("stream", False), catch_response=True)

    @task(4)
    def question(self) -> None:
        with self.ask("/chat") as answer:
            self.check(answer)

    @task(2)
    def conversation(self) -> None:
        with self.ask("/chat with history", history=HISTORY) as answer:
            self.check(answer)

    @task(3)
    def streamed(self) -> None:
        with self.ask("/chat streamed", stream=True) as answer:
            events = [json.loads(line[6:]) for line in answer.iter_lines() if line.startswith(b"data: ")]
            if answer.status_code == 200 and not (events and events[-1].get("done")):
                answer.failure("the stream broke off")

    @staticmethod
    def check(answer) -> None:
        if answer.status_code == 200 and "reply" not in answer.json():
            answer.failure("no reply")
