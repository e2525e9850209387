import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class References(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REFERENCES_UNSPECIFIED: _ClassVar[References]
    REFERENCES_ON: _ClassVar[References]
    REFERENCES_OFF: _ClassVar[References]

class Ordering(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ORDERING_UNSPECIFIED: _ClassVar[Ordering]
    ORDERING_FREE: _ClassVar[Ordering]
    ORDERING_ORDERED: _ClassVar[Ordering]

class OnDisconnect(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ON_DISCONNECT_UNSPECIFIED: _ClassVar[OnDisconnect]
    ON_DISCONNECT_CANCEL: _ClassVar[OnDisconnect]
    ON_DISCONNECT_CONTINUE: _ClassVar[OnDisconnect]

class Outcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OUTCOME_UNSPECIFIED: _ClassVar[Outcome]
    OUTCOME_SUCCEEDED: _ClassVar[Outcome]
    OUTCOME_FAILED: _ClassVar[Outcome]
    OUTCOME_CANCELLED: _ClassVar[Outcome]
    OUTCOME_SKIPPED: _ClassVar[Outcome]

class Source(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SOURCE_UNSPECIFIED: _ClassVar[Source]
    SOURCE_EXECUTED: _ClassVar[Source]
    SOURCE_SHARED: _ClassVar[Source]
    SOURCE_CACHED: _ClassVar[Source]
    SOURCE_FALLBACK: _ClassVar[Source]

class FailureCode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FAILURE_CODE_UNSPECIFIED: _ClassVar[FailureCode]
    FAILURE_CODE_INVALID_INPUT: _ClassVar[FailureCode]
    FAILURE_CODE_UNKNOWN_TOOL: _ClassVar[FailureCode]
    FAILURE_CODE_DENIED: _ClassVar[FailureCode]
    FAILURE_CODE_TOOL_ERROR: _ClassVar[FailureCode]
    FAILURE_CODE_CONFLICT: _ClassVar[FailureCode]
    FAILURE_CODE_DEPENDENCY_FAILED: _ClassVar[FailureCode]
    FAILURE_CODE_RATE_LIMITED: _ClassVar[FailureCode]
    FAILURE_CODE_BUDGET_EXCEEDED: _ClassVar[FailureCode]
    FAILURE_CODE_REPEATED: _ClassVar[FailureCode]
    FAILURE_CODE_UNAVAILABLE: _ClassVar[FailureCode]
    FAILURE_CODE_BACKEND_ERROR: _ClassVar[FailureCode]
    FAILURE_CODE_ATTEMPT_TIMEOUT: _ClassVar[FailureCode]
    FAILURE_CODE_DEADLINE_EXCEEDED: _ClassVar[FailureCode]
    FAILURE_CODE_CANCELLED: _ClassVar[FailureCode]
    FAILURE_CODE_LOCK_TIMEOUT: _ClassVar[FailureCode]
    FAILURE_CODE_OVERLOADED: _ClassVar[FailureCode]
    FAILURE_CODE_RESULT_TOO_LARGE: _ClassVar[FailureCode]
    FAILURE_CODE_RESULT_INVALID: _ClassVar[FailureCode]
    FAILURE_CODE_OUTCOME_UNKNOWN: _ClassVar[FailureCode]
    FAILURE_CODE_WORKER_LOST: _ClassVar[FailureCode]
    FAILURE_CODE_INTERNAL: _ClassVar[FailureCode]

class FailureOrigin(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FAILURE_ORIGIN_UNSPECIFIED: _ClassVar[FailureOrigin]
    FAILURE_ORIGIN_CALLER: _ClassVar[FailureOrigin]
    FAILURE_ORIGIN_SIDECALL: _ClassVar[FailureOrigin]
    FAILURE_ORIGIN_BACKEND: _ClassVar[FailureOrigin]

class RetryAdvice(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RETRY_ADVICE_UNSPECIFIED: _ClassVar[RetryAdvice]
    RETRY_ADVICE_NEVER: _ClassVar[RetryAdvice]
    RETRY_ADVICE_SAME_INPUT: _ClassVar[RetryAdvice]
    RETRY_ADVICE_AFTER: _ClassVar[RetryAdvice]
    RETRY_ADVICE_CHANGED_INPUT: _ClassVar[RetryAdvice]
    RETRY_ADVICE_VERIFY_FIRST: _ClassVar[RetryAdvice]

class EdgeKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EDGE_KIND_UNSPECIFIED: _ClassVar[EdgeKind]
    EDGE_KIND_EXPLICIT: _ClassVar[EdgeKind]
    EDGE_KIND_REFERENCE: _ClassVar[EdgeKind]
    EDGE_KIND_AFTER: _ClassVar[EdgeKind]
    EDGE_KIND_RESOURCE: _ClassVar[EdgeKind]
    EDGE_KIND_BLOCK_ORDER: _ClassVar[EdgeKind]

class EdgeStrength(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EDGE_STRENGTH_UNSPECIFIED: _ClassVar[EdgeStrength]
    EDGE_STRENGTH_NEED: _ClassVar[EdgeStrength]
    EDGE_STRENGTH_OPTIONAL: _ClassVar[EdgeStrength]
    EDGE_STRENGTH_ORDER: _ClassVar[EdgeStrength]
    EDGE_STRENGTH_KEYS: _ClassVar[EdgeStrength]

class Shape(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SHAPE_UNSPECIFIED: _ClassVar[Shape]
    SHAPE_ANTHROPIC: _ClassVar[Shape]
    SHAPE_OPENAI_CHAT: _ClassVar[Shape]
    SHAPE_OPENAI_RESPONSES: _ClassVar[Shape]
    SHAPE_GEMINI: _ClassVar[Shape]
    SHAPE_BEDROCK: _ClassVar[Shape]
    SHAPE_AI_SDK: _ClassVar[Shape]
    SHAPE_LANGCHAIN: _ClassVar[Shape]

class Effect(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EFFECT_UNSPECIFIED: _ClassVar[Effect]
    EFFECT_READ_ONLY: _ClassVar[Effect]
    EFFECT_KEYED: _ClassVar[Effect]
    EFFECT_AT_MOST_ONCE: _ClassVar[Effect]
    EFFECT_AT_LEAST_ONCE: _ClassVar[Effect]

class BucketScope(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BUCKET_SCOPE_UNSPECIFIED: _ClassVar[BucketScope]
    BUCKET_SCOPE_API: _ClassVar[BucketScope]
    BUCKET_SCOPE_SESSION: _ClassVar[BucketScope]
    BUCKET_SCOPE_TENANT: _ClassVar[BucketScope]

class BreakerState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BREAKER_STATE_UNSPECIFIED: _ClassVar[BreakerState]
    BREAKER_STATE_CLOSED: _ClassVar[BreakerState]
    BREAKER_STATE_OPEN: _ClassVar[BreakerState]
    BREAKER_STATE_HALF_OPEN: _ClassVar[BreakerState]

class LockAccess(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LOCK_ACCESS_UNSPECIFIED: _ClassVar[LockAccess]
    LOCK_ACCESS_READ: _ClassVar[LockAccess]
    LOCK_ACCESS_WRITE: _ClassVar[LockAccess]
REFERENCES_UNSPECIFIED: References
REFERENCES_ON: References
REFERENCES_OFF: References
ORDERING_UNSPECIFIED: Ordering
ORDERING_FREE: Ordering
ORDERING_ORDERED: Ordering
ON_DISCONNECT_UNSPECIFIED: OnDisconnect
ON_DISCONNECT_CANCEL: OnDisconnect
ON_DISCONNECT_CONTINUE: OnDisconnect
OUTCOME_UNSPECIFIED: Outcome
OUTCOME_SUCCEEDED: Outcome
OUTCOME_FAILED: Outcome
OUTCOME_CANCELLED: Outcome
OUTCOME_SKIPPED: Outcome
SOURCE_UNSPECIFIED: Source
SOURCE_EXECUTED: Source
SOURCE_SHARED: Source
SOURCE_CACHED: Source
SOURCE_FALLBACK: Source
FAILURE_CODE_UNSPECIFIED: FailureCode
FAILURE_CODE_INVALID_INPUT: FailureCode
FAILURE_CODE_UNKNOWN_TOOL: FailureCode
FAILURE_CODE_DENIED: FailureCode
FAILURE_CODE_TOOL_ERROR: FailureCode
FAILURE_CODE_CONFLICT: FailureCode
FAILURE_CODE_DEPENDENCY_FAILED: FailureCode
FAILURE_CODE_RATE_LIMITED: FailureCode
FAILURE_CODE_BUDGET_EXCEEDED: FailureCode
FAILURE_CODE_REPEATED: FailureCode
FAILURE_CODE_UNAVAILABLE: FailureCode
FAILURE_CODE_BACKEND_ERROR: FailureCode
FAILURE_CODE_ATTEMPT_TIMEOUT: FailureCode
FAILURE_CODE_DEADLINE_EXCEEDED: FailureCode
FAILURE_CODE_CANCELLED: FailureCode
FAILURE_CODE_LOCK_TIMEOUT: FailureCode
FAILURE_CODE_OVERLOADED: FailureCode
FAILURE_CODE_RESULT_TOO_LARGE: FailureCode
FAILURE_CODE_RESULT_INVALID: FailureCode
FAILURE_CODE_OUTCOME_UNKNOWN: FailureCode
FAILURE_CODE_WORKER_LOST: FailureCode
FAILURE_CODE_INTERNAL: FailureCode
FAILURE_ORIGIN_UNSPECIFIED: FailureOrigin
FAILURE_ORIGIN_CALLER: FailureOrigin
FAILURE_ORIGIN_SIDECALL: FailureOrigin
FAILURE_ORIGIN_BACKEND: FailureOrigin
RETRY_ADVICE_UNSPECIFIED: RetryAdvice
RETRY_ADVICE_NEVER: RetryAdvice
RETRY_ADVICE_SAME_INPUT: RetryAdvice
RETRY_ADVICE_AFTER: RetryAdvice
RETRY_ADVICE_CHANGED_INPUT: RetryAdvice
RETRY_ADVICE_VERIFY_FIRST: RetryAdvice
EDGE_KIND_UNSPECIFIED: EdgeKind
EDGE_KIND_EXPLICIT: EdgeKind
EDGE_KIND_REFERENCE: EdgeKind
EDGE_KIND_AFTER: EdgeKind
EDGE_KIND_RESOURCE: EdgeKind
EDGE_KIND_BLOCK_ORDER: EdgeKind
EDGE_STRENGTH_UNSPECIFIED: EdgeStrength
EDGE_STRENGTH_NEED: EdgeStrength
EDGE_STRENGTH_OPTIONAL: EdgeStrength
EDGE_STRENGTH_ORDER: EdgeStrength
EDGE_STRENGTH_KEYS: EdgeStrength
SHAPE_UNSPECIFIED: Shape
SHAPE_ANTHROPIC: Shape
SHAPE_OPENAI_CHAT: Shape
SHAPE_OPENAI_RESPONSES: Shape
SHAPE_GEMINI: Shape
SHAPE_BEDROCK: Shape
SHAPE_AI_SDK: Shape
SHAPE_LANGCHAIN: Shape
EFFECT_UNSPECIFIED: Effect
EFFECT_READ_ONLY: Effect
EFFECT_KEYED: Effect
EFFECT_AT_MOST_ONCE: Effect
EFFECT_AT_LEAST_ONCE: Effect
BUCKET_SCOPE_UNSPECIFIED: BucketScope
BUCKET_SCOPE_API: BucketScope
BUCKET_SCOPE_SESSION: BucketScope
BUCKET_SCOPE_TENANT: BucketScope
BREAKER_STATE_UNSPECIFIED: BreakerState
BREAKER_STATE_CLOSED: BreakerState
BREAKER_STATE_OPEN: BreakerState
BREAKER_STATE_HALF_OPEN: BreakerState
LOCK_ACCESS_UNSPECIFIED: LockAccess
LOCK_ACCESS_READ: LockAccess
LOCK_ACCESS_WRITE: LockAccess

class ToolUse(_message.Message):
    __slots__ = ("id", "name", "input_json", "depends_on", "timeout")
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    INPUT_JSON_FIELD_NUMBER: _ClassVar[int]
    DEPENDS_ON_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    id: str
    name: str
    input_json: str
    depends_on: _containers.RepeatedScalarFieldContainer[str]
    timeout: _duration_pb2.Duration
    def __init__(self, id: _Optional[str] = ..., name: _Optional[str] = ..., input_json: _Optional[str] = ..., depends_on: _Optional[_Iterable[str]] = ..., timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class ToolUses(_message.Message):
    __slots__ = ("tool_uses",)
    TOOL_USES_FIELD_NUMBER: _ClassVar[int]
    tool_uses: _containers.RepeatedCompositeFieldContainer[ToolUse]
    def __init__(self, tool_uses: _Optional[_Iterable[_Union[ToolUse, _Mapping]]] = ...) -> None: ...

class ExecuteBatchRequest(_message.Message):
    __slots__ = ("batch_id", "session_id", "references", "ordering", "on_disconnect", "timeout", "call_timeout", "typed", "anthropic_json", "openai_chat_json", "openai_responses_json", "gemini_json", "bedrock_json", "ai_sdk_json", "langchain_json")
    BATCH_ID_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    REFERENCES_FIELD_NUMBER: _ClassVar[int]
    ORDERING_FIELD_NUMBER: _ClassVar[int]
    ON_DISCONNECT_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    CALL_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    TYPED_FIELD_NUMBER: _ClassVar[int]
    ANTHROPIC_JSON_FIELD_NUMBER: _ClassVar[int]
    OPENAI_CHAT_JSON_FIELD_NUMBER: _ClassVar[int]
    OPENAI_RESPONSES_JSON_FIELD_NUMBER: _ClassVar[int]
    GEMINI_JSON_FIELD_NUMBER: _ClassVar[int]
    BEDROCK_JSON_FIELD_NUMBER: _ClassVar[int]
    AI_SDK_JSON_FIELD_NUMBER: _ClassVar[int]
    LANGCHAIN_JSON_FIELD_NUMBER: _ClassVar[int]
    batch_id: str
    session_id: str
    references: References
    ordering: Ordering
    on_disconnect: OnDisconnect
    timeout: _duration_pb2.Duration
    call_timeout: _duration_pb2.Duration
    typed: ToolUses
    anthropic_json: str
    openai_chat_json: str
    openai_responses_json: str
    gemini_json: str
    bedrock_json: str
    ai_sdk_json: str
    langchain_json: str
    def __init__(self, batch_id: _Optional[str] = ..., session_id: _Optional[str] = ..., references: _Optional[_Union[References, str]] = ..., ordering: _Optional[_Union[Ordering, str]] = ..., on_disconnect: _Optional[_Union[OnDisconnect, str]] = ..., timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., call_timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., typed: _Optional[_Union[ToolUses, _Mapping]] = ..., anthropic_json: _Optional[str] = ..., openai_chat_json: _Optional[str] = ..., openai_responses_json: _Optional[str] = ..., gemini_json: _Optional[str] = ..., bedrock_json: _Optional[str] = ..., ai_sdk_json: _Optional[str] = ..., langchain_json: _Optional[str] = ...) -> None: ...

class ExecuteBatchResponse(_message.Message):
    __slots__ = ("event",)
    EVENT_FIELD_NUMBER: _ClassVar[int]
    event: BatchEvent
    def __init__(self, event: _Optional[_Union[BatchEvent, _Mapping]] = ...) -> None: ...

class ExecuteStreamRequest(_message.Message):
    __slots__ = ("open", "tool_use_begun", "input_fragment", "tool_use_ended", "commit")
    OPEN_FIELD_NUMBER: _ClassVar[int]
    TOOL_USE_BEGUN_FIELD_NUMBER: _ClassVar[int]
    INPUT_FRAGMENT_FIELD_NUMBER: _ClassVar[int]
    TOOL_USE_ENDED_FIELD_NUMBER: _ClassVar[int]
    COMMIT_FIELD_NUMBER: _ClassVar[int]
    open: StreamOpen
    tool_use_begun: ToolUseBegun
    input_fragment: InputFragment
    tool_use_ended: ToolUseEnded
    commit: Commit
    def __init__(self, open: _Optional[_Union[StreamOpen, _Mapping]] = ..., tool_use_begun: _Optional[_Union[ToolUseBegun, _Mapping]] = ..., input_fragment: _Optional[_Union[InputFragment, _Mapping]] = ..., tool_use_ended: _Optional[_Union[ToolUseEnded, _Mapping]] = ..., commit: _Optional[_Union[Commit, _Mapping]] = ...) -> None: ...

class StreamOpen(_message.Message):
    __slots__ = ("batch_id", "session_id", "references", "ordering", "on_disconnect", "timeout", "call_timeout", "shape")
    BATCH_ID_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    REFERENCES_FIELD_NUMBER: _ClassVar[int]
    ORDERING_FIELD_NUMBER: _ClassVar[int]
    ON_DISCONNECT_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    CALL_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    SHAPE_FIELD_NUMBER: _ClassVar[int]
    batch_id: str
    session_id: str
    references: References
    ordering: Ordering
    on_disconnect: OnDisconnect
    timeout: _duration_pb2.Duration
    call_timeout: _duration_pb2.Duration
    shape: Shape
    def __init__(self, batch_id: _Optional[str] = ..., session_id: _Optional[str] = ..., references: _Optional[_Union[References, str]] = ..., ordering: _Optional[_Union[Ordering, str]] = ..., on_disconnect: _Optional[_Union[OnDisconnect, str]] = ..., timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., call_timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., shape: _Optional[_Union[Shape, str]] = ...) -> None: ...

class ToolUseBegun(_message.Message):
    __slots__ = ("block", "tool_use", "block_json")
    BLOCK_FIELD_NUMBER: _ClassVar[int]
    TOOL_USE_FIELD_NUMBER: _ClassVar[int]
    BLOCK_JSON_FIELD_NUMBER: _ClassVar[int]
    block: int
    tool_use: ToolUse
    block_json: str
    def __init__(self, block: _Optional[int] = ..., tool_use: _Optional[_Union[ToolUse, _Mapping]] = ..., block_json: _Optional[str] = ...) -> None: ...

class InputFragment(_message.Message):
    __slots__ = ("block", "json")
    BLOCK_FIELD_NUMBER: _ClassVar[int]
    JSON_FIELD_NUMBER: _ClassVar[int]
    block: int
    json: str
    def __init__(self, block: _Optional[int] = ..., json: _Optional[str] = ...) -> None: ...

class ToolUseEnded(_message.Message):
    __slots__ = ("block",)
    BLOCK_FIELD_NUMBER: _ClassVar[int]
    block: int
    def __init__(self, block: _Optional[int] = ...) -> None: ...

class Commit(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ExecuteStreamResponse(_message.Message):
    __slots__ = ("event",)
    EVENT_FIELD_NUMBER: _ClassVar[int]
    event: BatchEvent
    def __init__(self, event: _Optional[_Union[BatchEvent, _Mapping]] = ...) -> None: ...

class BatchEvent(_message.Message):
    __slots__ = ("sequence", "accepted", "started", "progress", "retrying", "result_part", "call_finished", "bundle_part", "batch_finished", "call_planned")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    STARTED_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    RETRYING_FIELD_NUMBER: _ClassVar[int]
    RESULT_PART_FIELD_NUMBER: _ClassVar[int]
    CALL_FINISHED_FIELD_NUMBER: _ClassVar[int]
    BUNDLE_PART_FIELD_NUMBER: _ClassVar[int]
    BATCH_FINISHED_FIELD_NUMBER: _ClassVar[int]
    CALL_PLANNED_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    accepted: BatchAccepted
    started: CallStarted
    progress: CallProgress
    retrying: CallRetrying
    result_part: ResultPart
    call_finished: CallFinished
    bundle_part: BundlePart
    batch_finished: BatchFinished
    call_planned: CallPlanned
    def __init__(self, sequence: _Optional[int] = ..., accepted: _Optional[_Union[BatchAccepted, _Mapping]] = ..., started: _Optional[_Union[CallStarted, _Mapping]] = ..., progress: _Optional[_Union[CallProgress, _Mapping]] = ..., retrying: _Optional[_Union[CallRetrying, _Mapping]] = ..., result_part: _Optional[_Union[ResultPart, _Mapping]] = ..., call_finished: _Optional[_Union[CallFinished, _Mapping]] = ..., bundle_part: _Optional[_Union[BundlePart, _Mapping]] = ..., batch_finished: _Optional[_Union[BatchFinished, _Mapping]] = ..., call_planned: _Optional[_Union[CallPlanned, _Mapping]] = ...) -> None: ...

class BatchAccepted(_message.Message):
    __slots__ = ("batch_id", "plan")
    BATCH_ID_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    batch_id: str
    plan: Plan
    def __init__(self, batch_id: _Optional[str] = ..., plan: _Optional[_Union[Plan, _Mapping]] = ...) -> None: ...

class CallPlanned(_message.Message):
    __slots__ = ("index", "call", "edges")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    CALL_FIELD_NUMBER: _ClassVar[int]
    EDGES_FIELD_NUMBER: _ClassVar[int]
    index: int
    call: PlannedCall
    edges: _containers.RepeatedCompositeFieldContainer[Edge]
    def __init__(self, index: _Optional[int] = ..., call: _Optional[_Union[PlannedCall, _Mapping]] = ..., edges: _Optional[_Iterable[_Union[Edge, _Mapping]]] = ...) -> None: ...

class CallStarted(_message.Message):
    __slots__ = ("call_id", "index", "attempt", "at", "timings")
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    TIMINGS_FIELD_NUMBER: _ClassVar[int]
    call_id: str
    index: int
    attempt: int
    at: _duration_pb2.Duration
    timings: Timings
    def __init__(self, call_id: _Optional[str] = ..., index: _Optional[int] = ..., attempt: _Optional[int] = ..., at: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., timings: _Optional[_Union[Timings, _Mapping]] = ...) -> None: ...

class CallProgress(_message.Message):
    __slots__ = ("call_id", "index", "done", "total", "message")
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    call_id: str
    index: int
    done: float
    total: float
    message: str
    def __init__(self, call_id: _Optional[str] = ..., index: _Optional[int] = ..., done: _Optional[float] = ..., total: _Optional[float] = ..., message: _Optional[str] = ...) -> None: ...

class CallRetrying(_message.Message):
    __slots__ = ("call_id", "index", "attempt", "delay", "failure")
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    DELAY_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    call_id: str
    index: int
    attempt: int
    delay: _duration_pb2.Duration
    failure: Failure
    def __init__(self, call_id: _Optional[str] = ..., index: _Optional[int] = ..., attempt: _Optional[int] = ..., delay: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., failure: _Optional[_Union[Failure, _Mapping]] = ...) -> None: ...

class ResultPart(_message.Message):
    __slots__ = ("call_id", "index", "content_index", "text", "data")
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    CONTENT_INDEX_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    call_id: str
    index: int
    content_index: int
    text: str
    data: bytes
    def __init__(self, call_id: _Optional[str] = ..., index: _Optional[int] = ..., content_index: _Optional[int] = ..., text: _Optional[str] = ..., data: _Optional[bytes] = ...) -> None: ...

class CallFinished(_message.Message):
    __slots__ = ("result",)
    RESULT_FIELD_NUMBER: _ClassVar[int]
    result: ToolResult
    def __init__(self, result: _Optional[_Union[ToolResult, _Mapping]] = ...) -> None: ...

class BundlePart(_message.Message):
    __slots__ = ("first_index", "items", "last_item_continues")
    FIRST_INDEX_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    LAST_ITEM_CONTINUES_FIELD_NUMBER: _ClassVar[int]
    first_index: int
    items: _containers.RepeatedScalarFieldContainer[str]
    last_item_continues: bool
    def __init__(self, first_index: _Optional[int] = ..., items: _Optional[_Iterable[str]] = ..., last_item_continues: _Optional[bool] = ...) -> None: ...

class BatchFinished(_message.Message):
    __slots__ = ("summary",)
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    summary: BatchSummary
    def __init__(self, summary: _Optional[_Union[BatchSummary, _Mapping]] = ...) -> None: ...

class BatchSummary(_message.Message):
    __slots__ = ("calls", "succeeded", "failed", "cancelled", "skipped", "duration", "sequential", "critical_path", "bundle_items")
    CALLS_FIELD_NUMBER: _ClassVar[int]
    SUCCEEDED_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    CANCELLED_FIELD_NUMBER: _ClassVar[int]
    SKIPPED_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    SEQUENTIAL_FIELD_NUMBER: _ClassVar[int]
    CRITICAL_PATH_FIELD_NUMBER: _ClassVar[int]
    BUNDLE_ITEMS_FIELD_NUMBER: _ClassVar[int]
    calls: int
    succeeded: int
    failed: int
    cancelled: int
    skipped: int
    duration: _duration_pb2.Duration
    sequential: _duration_pb2.Duration
    critical_path: _containers.RepeatedScalarFieldContainer[str]
    bundle_items: int
    def __init__(self, calls: _Optional[int] = ..., succeeded: _Optional[int] = ..., failed: _Optional[int] = ..., cancelled: _Optional[int] = ..., skipped: _Optional[int] = ..., duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., sequential: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., critical_path: _Optional[_Iterable[str]] = ..., bundle_items: _Optional[int] = ...) -> None: ...

class ToolResult(_message.Message):
    __slots__ = ("call_id", "tool", "index", "outcome", "is_error", "source", "content", "failure", "timings", "truncation", "attempts")
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    TOOL_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    IS_ERROR_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    TIMINGS_FIELD_NUMBER: _ClassVar[int]
    TRUNCATION_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    call_id: str
    tool: str
    index: int
    outcome: Outcome
    is_error: bool
    source: Source
    content: _containers.RepeatedCompositeFieldContainer[Content]
    failure: Failure
    timings: Timings
    truncation: Truncation
    attempts: _containers.RepeatedCompositeFieldContainer[Attempt]
    def __init__(self, call_id: _Optional[str] = ..., tool: _Optional[str] = ..., index: _Optional[int] = ..., outcome: _Optional[_Union[Outcome, str]] = ..., is_error: _Optional[bool] = ..., source: _Optional[_Union[Source, str]] = ..., content: _Optional[_Iterable[_Union[Content, _Mapping]]] = ..., failure: _Optional[_Union[Failure, _Mapping]] = ..., timings: _Optional[_Union[Timings, _Mapping]] = ..., truncation: _Optional[_Union[Truncation, _Mapping]] = ..., attempts: _Optional[_Iterable[_Union[Attempt, _Mapping]]] = ...) -> None: ...

class Content(_message.Message):
    __slots__ = ("text", "json", "image", "document", "link", "in_parts")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    JSON_FIELD_NUMBER: _ClassVar[int]
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_FIELD_NUMBER: _ClassVar[int]
    LINK_FIELD_NUMBER: _ClassVar[int]
    IN_PARTS_FIELD_NUMBER: _ClassVar[int]
    text: str
    json: str
    image: Blob
    document: Blob
    link: Link
    in_parts: bool
    def __init__(self, text: _Optional[str] = ..., json: _Optional[str] = ..., image: _Optional[_Union[Blob, _Mapping]] = ..., document: _Optional[_Union[Blob, _Mapping]] = ..., link: _Optional[_Union[Link, _Mapping]] = ..., in_parts: _Optional[bool] = ...) -> None: ...

class Blob(_message.Message):
    __slots__ = ("media_type", "data")
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    media_type: str
    data: bytes
    def __init__(self, media_type: _Optional[str] = ..., data: _Optional[bytes] = ...) -> None: ...

class Link(_message.Message):
    __slots__ = ("uri", "name")
    URI_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    uri: str
    name: str
    def __init__(self, uri: _Optional[str] = ..., name: _Optional[str] = ...) -> None: ...

class Truncation(_message.Message):
    __slots__ = ("whole_bytes", "kept_bytes")
    WHOLE_BYTES_FIELD_NUMBER: _ClassVar[int]
    KEPT_BYTES_FIELD_NUMBER: _ClassVar[int]
    whole_bytes: int
    kept_bytes: int
    def __init__(self, whole_bytes: _Optional[int] = ..., kept_bytes: _Optional[int] = ...) -> None: ...

class Timings(_message.Message):
    __slots__ = ("blocked", "locked", "queued", "throttled", "backing_off", "running")
    BLOCKED_FIELD_NUMBER: _ClassVar[int]
    LOCKED_FIELD_NUMBER: _ClassVar[int]
    QUEUED_FIELD_NUMBER: _ClassVar[int]
    THROTTLED_FIELD_NUMBER: _ClassVar[int]
    BACKING_OFF_FIELD_NUMBER: _ClassVar[int]
    RUNNING_FIELD_NUMBER: _ClassVar[int]
    blocked: _duration_pb2.Duration
    locked: _duration_pb2.Duration
    queued: _duration_pb2.Duration
    throttled: _duration_pb2.Duration
    backing_off: _duration_pb2.Duration
    running: _duration_pb2.Duration
    def __init__(self, blocked: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., locked: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., queued: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., throttled: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., backing_off: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., running: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class Attempt(_message.Message):
    __slots__ = ("at", "backing_off", "queued", "throttled", "running", "code")
    AT_FIELD_NUMBER: _ClassVar[int]
    BACKING_OFF_FIELD_NUMBER: _ClassVar[int]
    QUEUED_FIELD_NUMBER: _ClassVar[int]
    THROTTLED_FIELD_NUMBER: _ClassVar[int]
    RUNNING_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    at: _duration_pb2.Duration
    backing_off: _duration_pb2.Duration
    queued: _duration_pb2.Duration
    throttled: _duration_pb2.Duration
    running: _duration_pb2.Duration
    code: FailureCode
    def __init__(self, at: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., backing_off: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., queued: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., throttled: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., running: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., code: _Optional[_Union[FailureCode, str]] = ...) -> None: ...

class Failure(_message.Message):
    __slots__ = ("code", "origin", "retry", "retry_after", "message", "attempts")
    CODE_FIELD_NUMBER: _ClassVar[int]
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    RETRY_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    code: FailureCode
    origin: FailureOrigin
    retry: RetryAdvice
    retry_after: _duration_pb2.Duration
    message: str
    attempts: int
    def __init__(self, code: _Optional[_Union[FailureCode, str]] = ..., origin: _Optional[_Union[FailureOrigin, str]] = ..., retry: _Optional[_Union[RetryAdvice, str]] = ..., retry_after: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., message: _Optional[str] = ..., attempts: _Optional[int] = ...) -> None: ...

class Plan(_message.Message):
    __slots__ = ("calls", "edges", "estimate", "edges_omitted", "calls_omitted")
    CALLS_FIELD_NUMBER: _ClassVar[int]
    EDGES_FIELD_NUMBER: _ClassVar[int]
    ESTIMATE_FIELD_NUMBER: _ClassVar[int]
    EDGES_OMITTED_FIELD_NUMBER: _ClassVar[int]
    CALLS_OMITTED_FIELD_NUMBER: _ClassVar[int]
    calls: _containers.RepeatedCompositeFieldContainer[PlannedCall]
    edges: _containers.RepeatedCompositeFieldContainer[Edge]
    estimate: PlanEstimate
    edges_omitted: int
    calls_omitted: int
    def __init__(self, calls: _Optional[_Iterable[_Union[PlannedCall, _Mapping]]] = ..., edges: _Optional[_Iterable[_Union[Edge, _Mapping]]] = ..., estimate: _Optional[_Union[PlanEstimate, _Mapping]] = ..., edges_omitted: _Optional[int] = ..., calls_omitted: _Optional[int] = ...) -> None: ...

class PlannedCall(_message.Message):
    __slots__ = ("call_id", "tool", "fault", "latency", "depth", "critical", "effect")
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    TOOL_FIELD_NUMBER: _ClassVar[int]
    FAULT_FIELD_NUMBER: _ClassVar[int]
    LATENCY_FIELD_NUMBER: _ClassVar[int]
    DEPTH_FIELD_NUMBER: _ClassVar[int]
    CRITICAL_FIELD_NUMBER: _ClassVar[int]
    EFFECT_FIELD_NUMBER: _ClassVar[int]
    call_id: str
    tool: str
    fault: Failure
    latency: _duration_pb2.Duration
    depth: int
    critical: bool
    effect: Effect
    def __init__(self, call_id: _Optional[str] = ..., tool: _Optional[str] = ..., fault: _Optional[_Union[Failure, _Mapping]] = ..., latency: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., depth: _Optional[int] = ..., critical: _Optional[bool] = ..., effect: _Optional[_Union[Effect, str]] = ...) -> None: ...

class Edge(_message.Message):
    __slots__ = ("to", "kind", "strength", "reason", "cost", "remedy")
    FROM_FIELD_NUMBER: _ClassVar[int]
    TO_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    STRENGTH_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    COST_FIELD_NUMBER: _ClassVar[int]
    REMEDY_FIELD_NUMBER: _ClassVar[int]
    to: int
    kind: EdgeKind
    strength: EdgeStrength
    reason: str
    cost: _duration_pb2.Duration
    remedy: str
    def __init__(self, to: _Optional[int] = ..., kind: _Optional[_Union[EdgeKind, str]] = ..., strength: _Optional[_Union[EdgeStrength, str]] = ..., reason: _Optional[str] = ..., cost: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., remedy: _Optional[str] = ..., **kwargs) -> None: ...

class PlanEstimate(_message.Message):
    __slots__ = ("sequential", "critical_path", "speedup", "width", "depth", "order")
    SEQUENTIAL_FIELD_NUMBER: _ClassVar[int]
    CRITICAL_PATH_FIELD_NUMBER: _ClassVar[int]
    SPEEDUP_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    DEPTH_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    sequential: _duration_pb2.Duration
    critical_path: _duration_pb2.Duration
    speedup: float
    width: int
    depth: int
    order: _duration_pb2.Duration
    def __init__(self, sequential: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., critical_path: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., speedup: _Optional[float] = ..., width: _Optional[int] = ..., depth: _Optional[int] = ..., order: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class PlanBatchRequest(_message.Message):
    __slots__ = ("references", "ordering", "session_id", "typed", "anthropic_json", "openai_chat_json", "openai_responses_json", "gemini_json", "bedrock_json", "ai_sdk_json", "langchain_json")
    REFERENCES_FIELD_NUMBER: _ClassVar[int]
    ORDERING_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    TYPED_FIELD_NUMBER: _ClassVar[int]
    ANTHROPIC_JSON_FIELD_NUMBER: _ClassVar[int]
    OPENAI_CHAT_JSON_FIELD_NUMBER: _ClassVar[int]
    OPENAI_RESPONSES_JSON_FIELD_NUMBER: _ClassVar[int]
    GEMINI_JSON_FIELD_NUMBER: _ClassVar[int]
    BEDROCK_JSON_FIELD_NUMBER: _ClassVar[int]
    AI_SDK_JSON_FIELD_NUMBER: _ClassVar[int]
    LANGCHAIN_JSON_FIELD_NUMBER: _ClassVar[int]
    references: References
    ordering: Ordering
    session_id: str
    typed: ToolUses
    anthropic_json: str
    openai_chat_json: str
    openai_responses_json: str
    gemini_json: str
    bedrock_json: str
    ai_sdk_json: str
    langchain_json: str
    def __init__(self, references: _Optional[_Union[References, str]] = ..., ordering: _Optional[_Union[Ordering, str]] = ..., session_id: _Optional[str] = ..., typed: _Optional[_Union[ToolUses, _Mapping]] = ..., anthropic_json: _Optional[str] = ..., openai_chat_json: _Optional[str] = ..., openai_responses_json: _Optional[str] = ..., gemini_json: _Optional[str] = ..., bedrock_json: _Optional[str] = ..., ai_sdk_json: _Optional[str] = ..., langchain_json: _Optional[str] = ...) -> None: ...

class PlanBatchResponse(_message.Message):
    __slots__ = ("plan",)
    PLAN_FIELD_NUMBER: _ClassVar[int]
    plan: Plan
    def __init__(self, plan: _Optional[_Union[Plan, _Mapping]] = ...) -> None: ...

class CancelBatchRequest(_message.Message):
    __slots__ = ("batch_id", "call_ids")
    BATCH_ID_FIELD_NUMBER: _ClassVar[int]
    CALL_IDS_FIELD_NUMBER: _ClassVar[int]
    batch_id: str
    call_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, batch_id: _Optional[str] = ..., call_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class CancelBatchResponse(_message.Message):
    __slots__ = ("call_ids",)
    CALL_IDS_FIELD_NUMBER: _ClassVar[int]
    call_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, call_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class ListToolsRequest(_message.Message):
    __slots__ = ("shape", "references", "page_token", "session_id", "latencies")
    SHAPE_FIELD_NUMBER: _ClassVar[int]
    REFERENCES_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    LATENCIES_FIELD_NUMBER: _ClassVar[int]
    shape: Shape
    references: References
    page_token: str
    session_id: str
    latencies: bool
    def __init__(self, shape: _Optional[_Union[Shape, str]] = ..., references: _Optional[_Union[References, str]] = ..., page_token: _Optional[str] = ..., session_id: _Optional[str] = ..., latencies: _Optional[bool] = ...) -> None: ...

class ListToolsResponse(_message.Message):
    __slots__ = ("tools", "tools_json", "instructions", "next_page_token")
    TOOLS_FIELD_NUMBER: _ClassVar[int]
    TOOLS_JSON_FIELD_NUMBER: _ClassVar[int]
    INSTRUCTIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    tools: _containers.RepeatedCompositeFieldContainer[ToolDefinition]
    tools_json: str
    instructions: str
    next_page_token: str
    def __init__(self, tools: _Optional[_Iterable[_Union[ToolDefinition, _Mapping]]] = ..., tools_json: _Optional[str] = ..., instructions: _Optional[str] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ToolDefinition(_message.Message):
    __slots__ = ("name", "description", "input_schema_json", "effect")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    INPUT_SCHEMA_JSON_FIELD_NUMBER: _ClassVar[int]
    EFFECT_FIELD_NUMBER: _ClassVar[int]
    name: str
    description: str
    input_schema_json: str
    effect: Effect
    def __init__(self, name: _Optional[str] = ..., description: _Optional[str] = ..., input_schema_json: _Optional[str] = ..., effect: _Optional[_Union[Effect, str]] = ...) -> None: ...

class ServeToolsRequest(_message.Message):
    __slots__ = ("hello", "result", "progress", "heartbeat", "drain")
    HELLO_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    DRAIN_FIELD_NUMBER: _ClassVar[int]
    hello: WorkerHello
    result: WorkerResult
    progress: WorkerProgress
    heartbeat: WorkerHeartbeat
    drain: WorkerDrain
    def __init__(self, hello: _Optional[_Union[WorkerHello, _Mapping]] = ..., result: _Optional[_Union[WorkerResult, _Mapping]] = ..., progress: _Optional[_Union[WorkerProgress, _Mapping]] = ..., heartbeat: _Optional[_Union[WorkerHeartbeat, _Mapping]] = ..., drain: _Optional[_Union[WorkerDrain, _Mapping]] = ...) -> None: ...

class WorkerHello(_message.Message):
    __slots__ = ("name", "session_id", "shared", "tools", "attempts_max")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    SHARED_FIELD_NUMBER: _ClassVar[int]
    TOOLS_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_MAX_FIELD_NUMBER: _ClassVar[int]
    name: str
    session_id: str
    shared: bool
    tools: _containers.RepeatedCompositeFieldContainer[WorkerTool]
    attempts_max: int
    def __init__(self, name: _Optional[str] = ..., session_id: _Optional[str] = ..., shared: _Optional[bool] = ..., tools: _Optional[_Iterable[_Union[WorkerTool, _Mapping]]] = ..., attempts_max: _Optional[int] = ...) -> None: ...

class WorkerTool(_message.Message):
    __slots__ = ("name", "description", "input_schema_json", "effect", "timeout", "latency")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    INPUT_SCHEMA_JSON_FIELD_NUMBER: _ClassVar[int]
    EFFECT_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    LATENCY_FIELD_NUMBER: _ClassVar[int]
    name: str
    description: str
    input_schema_json: str
    effect: Effect
    timeout: _duration_pb2.Duration
    latency: _duration_pb2.Duration
    def __init__(self, name: _Optional[str] = ..., description: _Optional[str] = ..., input_schema_json: _Optional[str] = ..., effect: _Optional[_Union[Effect, str]] = ..., timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., latency: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class WorkerResult(_message.Message):
    __slots__ = ("attempt_id", "content", "is_error")
    ATTEMPT_ID_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    IS_ERROR_FIELD_NUMBER: _ClassVar[int]
    attempt_id: int
    content: _containers.RepeatedCompositeFieldContainer[Content]
    is_error: bool
    def __init__(self, attempt_id: _Optional[int] = ..., content: _Optional[_Iterable[_Union[Content, _Mapping]]] = ..., is_error: _Optional[bool] = ...) -> None: ...

class WorkerProgress(_message.Message):
    __slots__ = ("attempt_id", "done", "total", "message")
    ATTEMPT_ID_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    attempt_id: int
    done: float
    total: float
    message: str
    def __init__(self, attempt_id: _Optional[int] = ..., done: _Optional[float] = ..., total: _Optional[float] = ..., message: _Optional[str] = ...) -> None: ...

class WorkerHeartbeat(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class WorkerDrain(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ServeToolsResponse(_message.Message):
    __slots__ = ("welcome", "attempt", "cancel", "heartbeat", "drain")
    WELCOME_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    CANCEL_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    DRAIN_FIELD_NUMBER: _ClassVar[int]
    welcome: WorkerWelcome
    attempt: WorkerAttempt
    cancel: WorkerCancel
    heartbeat: WorkerHeartbeat
    drain: WorkerDrain
    def __init__(self, welcome: _Optional[_Union[WorkerWelcome, _Mapping]] = ..., attempt: _Optional[_Union[WorkerAttempt, _Mapping]] = ..., cancel: _Optional[_Union[WorkerCancel, _Mapping]] = ..., heartbeat: _Optional[_Union[WorkerHeartbeat, _Mapping]] = ..., drain: _Optional[_Union[WorkerDrain, _Mapping]] = ...) -> None: ...

class WorkerWelcome(_message.Message):
    __slots__ = ("heartbeat",)
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    heartbeat: _duration_pb2.Duration
    def __init__(self, heartbeat: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class WorkerAttempt(_message.Message):
    __slots__ = ("attempt_id", "tool", "input_json", "call_id", "batch_id", "session_id", "number", "timeout", "idempotency_key", "context")
    class ContextEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ATTEMPT_ID_FIELD_NUMBER: _ClassVar[int]
    TOOL_FIELD_NUMBER: _ClassVar[int]
    INPUT_JSON_FIELD_NUMBER: _ClassVar[int]
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    BATCH_ID_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    IDEMPOTENCY_KEY_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    attempt_id: int
    tool: str
    input_json: str
    call_id: str
    batch_id: str
    session_id: str
    number: int
    timeout: _duration_pb2.Duration
    idempotency_key: str
    context: _containers.ScalarMap[str, str]
    def __init__(self, attempt_id: _Optional[int] = ..., tool: _Optional[str] = ..., input_json: _Optional[str] = ..., call_id: _Optional[str] = ..., batch_id: _Optional[str] = ..., session_id: _Optional[str] = ..., number: _Optional[int] = ..., timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., idempotency_key: _Optional[str] = ..., context: _Optional[_Mapping[str, str]] = ...) -> None: ...

class WorkerCancel(_message.Message):
    __slots__ = ("attempt_id",)
    ATTEMPT_ID_FIELD_NUMBER: _ClassVar[int]
    attempt_id: int
    def __init__(self, attempt_id: _Optional[int] = ...) -> None: ...

class StatusRequest(_message.Message):
    __slots__ = ("rows_max",)
    ROWS_MAX_FIELD_NUMBER: _ClassVar[int]
    rows_max: int
    def __init__(self, rows_max: _Optional[int] = ...) -> None: ...

class StatusResponse(_message.Message):
    __slots__ = ("process", "apis", "apis_omitted", "tools", "tools_omitted", "locks", "budgets", "workers")
    PROCESS_FIELD_NUMBER: _ClassVar[int]
    APIS_FIELD_NUMBER: _ClassVar[int]
    APIS_OMITTED_FIELD_NUMBER: _ClassVar[int]
    TOOLS_FIELD_NUMBER: _ClassVar[int]
    TOOLS_OMITTED_FIELD_NUMBER: _ClassVar[int]
    LOCKS_FIELD_NUMBER: _ClassVar[int]
    BUDGETS_FIELD_NUMBER: _ClassVar[int]
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    process: ProcessStatus
    apis: _containers.RepeatedCompositeFieldContainer[ApiStatus]
    apis_omitted: int
    tools: _containers.RepeatedCompositeFieldContainer[ToolStatus]
    tools_omitted: int
    locks: LocksStatus
    budgets: BudgetsStatus
    workers: WorkersStatus
    def __init__(self, process: _Optional[_Union[ProcessStatus, _Mapping]] = ..., apis: _Optional[_Iterable[_Union[ApiStatus, _Mapping]]] = ..., apis_omitted: _Optional[int] = ..., tools: _Optional[_Iterable[_Union[ToolStatus, _Mapping]]] = ..., tools_omitted: _Optional[int] = ..., locks: _Optional[_Union[LocksStatus, _Mapping]] = ..., budgets: _Optional[_Union[BudgetsStatus, _Mapping]] = ..., workers: _Optional[_Union[WorkersStatus, _Mapping]] = ...) -> None: ...

class Usage(_message.Message):
    __slots__ = ("used", "max")
    USED_FIELD_NUMBER: _ClassVar[int]
    MAX_FIELD_NUMBER: _ClassVar[int]
    used: int
    max: int
    def __init__(self, used: _Optional[int] = ..., max: _Optional[int] = ...) -> None: ...

class ProcessStatus(_message.Message):
    __slots__ = ("version", "uptime", "draining", "batches", "calls", "attempts", "waiting", "sessions", "config", "memory")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    UPTIME_FIELD_NUMBER: _ClassVar[int]
    DRAINING_FIELD_NUMBER: _ClassVar[int]
    BATCHES_FIELD_NUMBER: _ClassVar[int]
    CALLS_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    SESSIONS_FIELD_NUMBER: _ClassVar[int]
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    MEMORY_FIELD_NUMBER: _ClassVar[int]
    version: str
    uptime: _duration_pb2.Duration
    draining: bool
    batches: Usage
    calls: Usage
    attempts: Usage
    waiting: int
    sessions: int
    config: ConfigStatus
    memory: MemoryStatus
    def __init__(self, version: _Optional[str] = ..., uptime: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., draining: _Optional[bool] = ..., batches: _Optional[_Union[Usage, _Mapping]] = ..., calls: _Optional[_Union[Usage, _Mapping]] = ..., attempts: _Optional[_Union[Usage, _Mapping]] = ..., waiting: _Optional[int] = ..., sessions: _Optional[int] = ..., config: _Optional[_Union[ConfigStatus, _Mapping]] = ..., memory: _Optional[_Union[MemoryStatus, _Mapping]] = ...) -> None: ...

class ConfigStatus(_message.Message):
    __slots__ = ("generation", "age", "refused", "refusal")
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    AGE_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    generation: int
    age: _duration_pb2.Duration
    refused: bool
    refusal: str
    def __init__(self, generation: _Optional[int] = ..., age: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., refused: _Optional[bool] = ..., refusal: _Optional[str] = ...) -> None: ...

class MemoryStatus(_message.Message):
    __slots__ = ("used_bytes", "max_bytes", "shed_at_percent", "short", "refused")
    USED_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_BYTES_FIELD_NUMBER: _ClassVar[int]
    SHED_AT_PERCENT_FIELD_NUMBER: _ClassVar[int]
    SHORT_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    used_bytes: int
    max_bytes: int
    shed_at_percent: int
    short: bool
    refused: int
    def __init__(self, used_bytes: _Optional[int] = ..., max_bytes: _Optional[int] = ..., shed_at_percent: _Optional[int] = ..., short: _Optional[bool] = ..., refused: _Optional[int] = ...) -> None: ...

class ApiStatus(_message.Message):
    __slots__ = ("name", "attempts", "queue", "longest_wait", "next_grant", "paused", "buckets", "breaker", "retries")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    LONGEST_WAIT_FIELD_NUMBER: _ClassVar[int]
    NEXT_GRANT_FIELD_NUMBER: _ClassVar[int]
    PAUSED_FIELD_NUMBER: _ClassVar[int]
    BUCKETS_FIELD_NUMBER: _ClassVar[int]
    BREAKER_FIELD_NUMBER: _ClassVar[int]
    RETRIES_FIELD_NUMBER: _ClassVar[int]
    name: str
    attempts: Usage
    queue: Usage
    longest_wait: _duration_pb2.Duration
    next_grant: _duration_pb2.Duration
    paused: _duration_pb2.Duration
    buckets: _containers.RepeatedCompositeFieldContainer[BucketStatus]
    breaker: BreakerStatus
    retries: RetryStatus
    def __init__(self, name: _Optional[str] = ..., attempts: _Optional[_Union[Usage, _Mapping]] = ..., queue: _Optional[_Union[Usage, _Mapping]] = ..., longest_wait: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., next_grant: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., paused: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., buckets: _Optional[_Iterable[_Union[BucketStatus, _Mapping]]] = ..., breaker: _Optional[_Union[BreakerStatus, _Mapping]] = ..., retries: _Optional[_Union[RetryStatus, _Mapping]] = ...) -> None: ...

class BucketStatus(_message.Message):
    __slots__ = ("rate", "scope", "burst", "kept", "lowest", "omitted")
    RATE_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    BURST_FIELD_NUMBER: _ClassVar[int]
    KEPT_FIELD_NUMBER: _ClassVar[int]
    LOWEST_FIELD_NUMBER: _ClassVar[int]
    OMITTED_FIELD_NUMBER: _ClassVar[int]
    rate: str
    scope: BucketScope
    burst: int
    kept: int
    lowest: _containers.RepeatedCompositeFieldContainer[BucketLevel]
    omitted: int
    def __init__(self, rate: _Optional[str] = ..., scope: _Optional[_Union[BucketScope, str]] = ..., burst: _Optional[int] = ..., kept: _Optional[int] = ..., lowest: _Optional[_Iterable[_Union[BucketLevel, _Mapping]]] = ..., omitted: _Optional[int] = ...) -> None: ...

class BucketLevel(_message.Message):
    __slots__ = ("owner", "level", "next_token")
    OWNER_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    NEXT_TOKEN_FIELD_NUMBER: _ClassVar[int]
    owner: str
    level: int
    next_token: _duration_pb2.Duration
    def __init__(self, owner: _Optional[str] = ..., level: _Optional[int] = ..., next_token: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class BreakerStatus(_message.Message):
    __slots__ = ("state", "consecutive_failures", "window_attempts", "window_failures", "next_probe", "probes", "why", "opened")
    STATE_FIELD_NUMBER: _ClassVar[int]
    CONSECUTIVE_FAILURES_FIELD_NUMBER: _ClassVar[int]
    WINDOW_ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    WINDOW_FAILURES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PROBE_FIELD_NUMBER: _ClassVar[int]
    PROBES_FIELD_NUMBER: _ClassVar[int]
    WHY_FIELD_NUMBER: _ClassVar[int]
    OPENED_FIELD_NUMBER: _ClassVar[int]
    state: BreakerState
    consecutive_failures: int
    window_attempts: int
    window_failures: int
    next_probe: _duration_pb2.Duration
    probes: int
    why: str
    opened: int
    def __init__(self, state: _Optional[_Union[BreakerState, str]] = ..., consecutive_failures: _Optional[int] = ..., window_attempts: _Optional[int] = ..., window_failures: _Optional[int] = ..., next_probe: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., probes: _Optional[int] = ..., why: _Optional[str] = ..., opened: _Optional[int] = ...) -> None: ...

class RetryStatus(_message.Message):
    __slots__ = ("percent", "first_attempts", "retries", "left")
    PERCENT_FIELD_NUMBER: _ClassVar[int]
    FIRST_ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    RETRIES_FIELD_NUMBER: _ClassVar[int]
    LEFT_FIELD_NUMBER: _ClassVar[int]
    percent: int
    first_attempts: int
    retries: int
    left: int
    def __init__(self, percent: _Optional[int] = ..., first_attempts: _Optional[int] = ..., retries: _Optional[int] = ..., left: _Optional[int] = ...) -> None: ...

class ToolStatus(_message.Message):
    __slots__ = ("name", "api", "attempts", "cache")
    NAME_FIELD_NUMBER: _ClassVar[int]
    API_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    CACHE_FIELD_NUMBER: _ClassVar[int]
    name: str
    api: str
    attempts: Usage
    cache: CacheStatus
    def __init__(self, name: _Optional[str] = ..., api: _Optional[str] = ..., attempts: _Optional[_Union[Usage, _Mapping]] = ..., cache: _Optional[_Union[CacheStatus, _Mapping]] = ...) -> None: ...

class CacheStatus(_message.Message):
    __slots__ = ("entries", "bytes", "bytes_max", "hits", "misses")
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    BYTES_FIELD_NUMBER: _ClassVar[int]
    BYTES_MAX_FIELD_NUMBER: _ClassVar[int]
    HITS_FIELD_NUMBER: _ClassVar[int]
    MISSES_FIELD_NUMBER: _ClassVar[int]
    entries: Usage
    bytes: int
    bytes_max: int
    hits: int
    misses: int
    def __init__(self, entries: _Optional[_Union[Usage, _Mapping]] = ..., bytes: _Optional[int] = ..., bytes_max: _Optional[int] = ..., hits: _Optional[int] = ..., misses: _Optional[int] = ...) -> None: ...

class LocksStatus(_message.Message):
    __slots__ = ("held", "waiting", "keys", "busiest", "omitted")
    HELD_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    BUSIEST_FIELD_NUMBER: _ClassVar[int]
    OMITTED_FIELD_NUMBER: _ClassVar[int]
    held: int
    waiting: int
    keys: int
    busiest: _containers.RepeatedCompositeFieldContainer[LockStatus]
    omitted: int
    def __init__(self, held: _Optional[int] = ..., waiting: _Optional[int] = ..., keys: _Optional[int] = ..., busiest: _Optional[_Iterable[_Union[LockStatus, _Mapping]]] = ..., omitted: _Optional[int] = ...) -> None: ...

class LockStatus(_message.Message):
    __slots__ = ("key", "access", "holders", "holders_omitted", "waiters", "longest_wait")
    KEY_FIELD_NUMBER: _ClassVar[int]
    ACCESS_FIELD_NUMBER: _ClassVar[int]
    HOLDERS_FIELD_NUMBER: _ClassVar[int]
    HOLDERS_OMITTED_FIELD_NUMBER: _ClassVar[int]
    WAITERS_FIELD_NUMBER: _ClassVar[int]
    LONGEST_WAIT_FIELD_NUMBER: _ClassVar[int]
    key: str
    access: LockAccess
    holders: _containers.RepeatedCompositeFieldContainer[LockHolder]
    holders_omitted: int
    waiters: int
    longest_wait: _duration_pb2.Duration
    def __init__(self, key: _Optional[str] = ..., access: _Optional[_Union[LockAccess, str]] = ..., holders: _Optional[_Iterable[_Union[LockHolder, _Mapping]]] = ..., holders_omitted: _Optional[int] = ..., waiters: _Optional[int] = ..., longest_wait: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class LockHolder(_message.Message):
    __slots__ = ("batch_id", "call_id", "held")
    BATCH_ID_FIELD_NUMBER: _ClassVar[int]
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    HELD_FIELD_NUMBER: _ClassVar[int]
    batch_id: str
    call_id: str
    held: _duration_pb2.Duration
    def __init__(self, batch_id: _Optional[str] = ..., call_id: _Optional[str] = ..., held: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class WorkersStatus(_message.Message):
    __slots__ = ("connected", "unwanted_answers", "busiest", "omitted")
    CONNECTED_FIELD_NUMBER: _ClassVar[int]
    UNWANTED_ANSWERS_FIELD_NUMBER: _ClassVar[int]
    BUSIEST_FIELD_NUMBER: _ClassVar[int]
    OMITTED_FIELD_NUMBER: _ClassVar[int]
    connected: Usage
    unwanted_answers: int
    busiest: _containers.RepeatedCompositeFieldContainer[WorkerStatus]
    omitted: int
    def __init__(self, connected: _Optional[_Union[Usage, _Mapping]] = ..., unwanted_answers: _Optional[int] = ..., busiest: _Optional[_Iterable[_Union[WorkerStatus, _Mapping]]] = ..., omitted: _Optional[int] = ...) -> None: ...

class WorkerStatus(_message.Message):
    __slots__ = ("name", "session_id", "tools", "tools_omitted", "attempts", "draining", "silence")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    TOOLS_FIELD_NUMBER: _ClassVar[int]
    TOOLS_OMITTED_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    DRAINING_FIELD_NUMBER: _ClassVar[int]
    SILENCE_FIELD_NUMBER: _ClassVar[int]
    name: str
    session_id: str
    tools: _containers.RepeatedScalarFieldContainer[str]
    tools_omitted: int
    attempts: Usage
    draining: bool
    silence: _duration_pb2.Duration
    def __init__(self, name: _Optional[str] = ..., session_id: _Optional[str] = ..., tools: _Optional[_Iterable[str]] = ..., tools_omitted: _Optional[int] = ..., attempts: _Optional[_Union[Usage, _Mapping]] = ..., draining: _Optional[bool] = ..., silence: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class BudgetsStatus(_message.Message):
    __slots__ = ("sessions", "lowest", "omitted")
    SESSIONS_FIELD_NUMBER: _ClassVar[int]
    LOWEST_FIELD_NUMBER: _ClassVar[int]
    OMITTED_FIELD_NUMBER: _ClassVar[int]
    sessions: int
    lowest: _containers.RepeatedCompositeFieldContainer[SessionStatus]
    omitted: int
    def __init__(self, sessions: _Optional[int] = ..., lowest: _Optional[_Iterable[_Union[SessionStatus, _Mapping]]] = ..., omitted: _Optional[int] = ...) -> None: ...

class SessionStatus(_message.Message):
    __slots__ = ("session_id", "calls", "cost")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    CALLS_FIELD_NUMBER: _ClassVar[int]
    COST_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    calls: Usage
    cost: Usage
    def __init__(self, session_id: _Optional[str] = ..., calls: _Optional[_Union[Usage, _Mapping]] = ..., cost: _Optional[_Union[Usage, _Mapping]] = ...) -> None: ...

class LogLevelsRequest(_message.Message):
    __slots__ = ("filter", "reset")
    FILTER_FIELD_NUMBER: _ClassVar[int]
    RESET_FIELD_NUMBER: _ClassVar[int]
    filter: str
    reset: bool
    def __init__(self, filter: _Optional[str] = ..., reset: _Optional[bool] = ...) -> None: ...

class LogLevelsResponse(_message.Message):
    __slots__ = ("filter", "configured")
    FILTER_FIELD_NUMBER: _ClassVar[int]
    CONFIGURED_FIELD_NUMBER: _ClassVar[int]
    filter: str
    configured: str
    def __init__(self, filter: _Optional[str] = ..., configured: _Optional[str] = ...) -> None: ...
