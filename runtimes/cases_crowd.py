"""The Node bootstrap with several events at once."""

import json
import socket

from cases import BIG, Case
from driver import ERROR, FREEZE, RESPONSE, STREAM_BEGIN, STREAM_CHUNK, STREAM_END, frame, invoke_frame, resume_frame

CONCURRENT = {"AWS_LAMBDA_MAX_CONCURRENCY": "8"}

# Events meet in it: each but the last waits until all that it names are there.
MEETING = """
let there = 0;
let waiting = [];
exports.handler = async (event, context) => {
    console.log('begin');
    there += 1;
    if (there === event.all) waiting.forEach((go) => go());
    else await new Promise((go) => waiting.push(go));
    console.log('end');
    if (event.fail) throw new RangeError('of ' + context.awsRequestId);
    return {id: context.awsRequestId, all: event.all};
};
"""


class NodeCrowd(Case):
    runtime = "nodejs20.x"

    def function(self, source, env=None):
        return self.start({"index.js": source}, "index.handler", {**CONCURRENT, **(env or {})})

    def answers(self, runtime, count):
        """So many frames, by the numbers of their events."""
        frames = [runtime.receive() for _ in range(count)]
        return {frame.event: frame for frame in frames}

    def test_events_are_in_hand_at_once_and_answers_have_their_numbers(self):
        runtime = self.function(MEETING)
        for number in range(1, 9):
            runtime.send_numbered(number, {"all": 8})
        answers = self.answers(runtime, 8)
        self.assertEqual(set(answers), set(range(1, 9)))
        for number, answer in answers.items():
            self.assertEqual(self.answer(answer), {"id": f"id-{number}", "all": 8})

    def test_console_lines_name_the_event_that_printed_them(self):
        runtime = self.function(MEETING)
        for number in (1, 2, 3):
            runtime.send_numbered(number, {"all": 3})
        self.answers(runtime, 3)
        lines = [line.split("\t") for line in runtime.log().splitlines()]
        of = lambda number: [line[3] for line in lines if line[1] == f"id-{number}"]
        self.assertEqual([of(number) for number in (1, 2, 3)], [["begin", "end"]] * 3)

    def test_json_lines_name_their_event(self):
        runtime = self.function(MEETING, {"AWS_LAMBDA_LOG_FORMAT": "JSON"})
        for number in (1, 2):
            runtime.send_numbered(number, {"all": 2})
        self.answers(runtime, 2)
        names = sorted(json.loads(line)["requestId"] for line in runtime.log().splitlines())
        self.assertEqual(names, ["id-1", "id-1", "id-2", "id-2"])

    def test_handler_that_throws_fails_its_own_event(self):
        runtime = self.function(MEETING)
        for number in (1, 2, 3):
            runtime.send_numbered(number, {"all": 3, "fail": number == 2})
        answers = self.answers(runtime, 3)
        self.assert_faulty(self.answer(answers[2], ERROR), "RangeError", "of id-2")
        self.assertEqual({answers[1].kind, answers[3].kind}, {RESPONSE})
        runtime.send_numbered(2, {"all": 4})
        self.assertEqual(self.answer(runtime.receive())["id"], "id-2")

    def test_handler_that_throws_at_once_is_answered(self):
        runtime = self.function("exports.handler = () => { throw new Error('at once'); };")
        runtime.send_numbered(1, {})
        answer = runtime.receive()
        self.assertEqual(answer.event, 1)
        self.assert_faulty(self.answer(answer, ERROR), "Error", "at once")

    def test_uncaught_error_is_answered_to_its_event_and_ends_the_process(self):
        runtime = self.function(
            "exports.handler = (event) => new Promise(() => {"
            " if (event.die) setTimeout(() => { throw new RangeError('loose'); }, 1); });"
        )
        runtime.send_numbered(1, {})
        runtime.send_numbered(2, {"die": True})
        answer = runtime.receive()
        self.assertEqual(answer.event, 2)
        self.assert_faulty(self.answer(answer, ERROR), "RangeError", "loose")
        self.assertEqual(runtime.exit_status(), 129)

    def test_unhandled_rejection_is_answered_to_its_event(self):
        runtime = self.function(
            "exports.handler = (event) => new Promise(() => {"
            " if (event.die) (async () => { await 0; throw new RangeError('loose'); })(); });"
        )
        runtime.send_numbered(1, {})
        runtime.send_numbered(2, {"die": True})
        answer = runtime.receive()
        self.assertEqual(answer.event, 2)
        self.assertEqual(self.answer(answer, ERROR)["errorType"], "Runtime.UnhandledPromiseRejection")
        self.assertEqual(runtime.exit_status(), 128)

    def test_exit_of_user_code_keeps_its_status(self):
        runtime = self.function("exports.handler = async () => { setTimeout(() => process.exit(7), 1); return new Promise(() => {}); };")
        runtime.send_numbered(1, {})
        self.assertEqual(runtime.exit_status(), 7)

    def test_callback_is_answered_at_once_whatever_the_loop_holds(self):
        runtime = self.function(
            "exports.handler = (event, context, callback) => { setInterval(() => {}, 1000); callback(null, event.name); };"
        )
        for number in (1, 2):
            runtime.send_numbered(number, {"name": number})
        answers = self.answers(runtime, 2)
        self.assertEqual([self.answer(answers[number]) for number in (1, 2)], [1, 2])

    def test_large_events_and_answers_are_whole(self):
        runtime = self.function("exports.handler = async (event) => { await null; return event.text + event.text; };")
        text = "x" * (BIG // 2)
        for number in (1, 2, 3):
            runtime.send_numbered(number, {"text": text + str(number)})
        answers = self.answers(runtime, 3)
        for number in (1, 2, 3):
            self.assertEqual(self.answer(answers[number]), (text + str(number)) * 2)

    def test_several_events_in_one_read_are_all_taken(self):
        runtime = self.function(MEETING)
        runtime.is_crowded = True
        frames = [invoke_frame({"all": 4}, number=number, requestId=f"id-{number}") for number in range(1, 5)]
        runtime.channel.sendall(b"".join(frames))
        self.assertEqual(set(self.answers(runtime, 4)), {1, 2, 3, 4})

    def test_streams_of_two_events_are_told_apart(self):
        runtime = self.function(
            "exports.handler = awslambda.streamifyResponse(async (event, stream, context) => {"
            " for (let part = 0; part < 3; part += 1) {"
            "   stream.write(`${context.awsRequestId} ${part} `); await new Promise((go) => setTimeout(go, 5)); }"
            " stream.end(); });"
        )
        for number in (1, 2):
            runtime.send_numbered(number, {}, streaming=True)
        frames = {1: [], 2: []}
        while not all(kept and kept[-1].kind == STREAM_END for kept in frames.values()):
            arrived = runtime.receive()
            frames[arrived.event].append(arrived)
        for number, kept in frames.items():
            self.assertEqual(kept[0].kind, STREAM_BEGIN)
            text = b"".join(part.body for part in kept if part.kind == STREAM_CHUNK).decode()
            self.assertEqual(text, "".join(f"id-{number} {part} " for part in range(3)))

    def test_clone_takes_several_events_after_it_has_resumed(self):
        runtime = self.function(MEETING)
        self.assertEqual(runtime.freeze().kind, 24)
        runtime.is_crowded = True
        frames = [invoke_frame({"all": 2}, number=number, requestId=f"id-{number}") for number in (1, 2)]
        runtime.channel.sendall(resume_frame() + b"".join(frames))
        self.assertEqual(set(self.answers(runtime, 2)), {1, 2})

    def test_event_alone_comes_before_several_as_when_a_seed_is_trained(self):
        runtime = self.function(MEETING)
        self.assertEqual(self.answer(runtime.invoke({"all": 1}))["all"], 1)
        self.assertEqual(runtime.freeze().kind, 24)
        runtime.send_numbered(1, {"all": 2})
        self.assertEqual(runtime.receive().event, 1)

    def test_end_of_the_channel_ends_the_process(self):
        runtime = self.function(MEETING)
        runtime.send_numbered(1, {"all": 2})
        runtime.channel.shutdown(socket.SHUT_WR)
        self.assertEqual(runtime.exit_status(), 0)

    def test_frames_that_do_not_belong_among_several_end_the_process(self):
        for wrong in (frame(FREEZE), invoke_frame({}), invoke_frame({})[:1] + b"\x02" + invoke_frame({})[2:]):
            runtime = self.function(MEETING)
            runtime.send_numbered(1, {"all": 2})
            runtime.channel.sendall(wrong)
            self.assertEqual(runtime.exit_status(), 1)

    def test_runtime_with_one_event_at_a_time_refuses_numbers(self):
        runtime = self.start({"index.js": MEETING}, "index.handler")
        runtime.send_numbered(1, {"all": 1})
        self.assertEqual(runtime.exit_status(), 1)
        self.assertIn("one at a time", runtime.log())
