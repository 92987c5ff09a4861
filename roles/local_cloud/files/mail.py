"""E-mail subscriptions of SNS, which ministack stores and sends nothing to: their mails are in the inbox of SES.

As on AWS, a subscription is pending until the link of its confirmation mail is opened, and has no ARN in lists before;
an alarm is written as text, and sent only where the topic's policy lets CloudWatch publish.
https://docs.aws.amazon.com/sns/latest/dg/sns-email-notifications.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

SENDER = "no-reply@sns.amazonaws.com"
PROTOCOL = "email"
HOST = "127.0.0.1"
"""The local cloud listens there only, whatever host its databases have."""
CONFIRMATION = """You have chosen to subscribe to the topic:
{topic}

To confirm this subscription, open the link below (If this was in error no action is necessary):
{link}
"""
ALARM = """You are receiving this email because your Amazon CloudWatch Alarm "{AlarmName}" in the {Region} region has \
entered the {NewStateValue} state, because "{NewStateReason}" at "{StateChangeTime}".

Alarm Details:
- Name:                       {AlarmName}
- Description:                {AlarmDescription}
- State Change:               {OldStateValue} -> {NewStateValue}
- Reason for State Change:    {NewStateReason}
- Timestamp:                  {StateChangeTime}
- AWS Account:                {AWSAccountId}
"""


def text_of(message: str) -> str:
    """Return a message as an e-mail has it: an alarm as text, anything else as it is."""
    try:
        content = json.loads(message)
        return ALARM.format(**content) if isinstance(content, dict) and "NewStateValue" in content else message
    except (ValueError, KeyError):
        return message


def hide_pending() -> None:
    """Have lists say of a subscription that it is pending, in place of its ARN."""
    from ministack.services import sns  # noqa: PLC0415 - reads its settings when it is imported

    def hiding(listed: Callable[[Mapping[str, Any]], Any]) -> Callable[[Mapping[str, Any]], Any]:
        def answer(parameters: Mapping[str, Any]) -> Any:
            status, headers, body = listed(parameters)
            for topic in sns._topics.values():  # noqa: SLF001
                for one in topic["subscriptions"]:
                    if not one["confirmed"]:
                        body = body.replace(f">{one['arn']}<".encode(), b">PendingConfirmation<")
            return status, headers, body

        return answer

    sns._list_subscriptions = hiding(sns._list_subscriptions)  # noqa: SLF001
    sns._list_subscriptions_by_topic = hiding(sns._list_subscriptions_by_topic)  # noqa: SLF001


def ask_topics() -> None:
    """Have alarms notify only the topics whose policy lets CloudWatch publish."""
    from ministack.services import cloudwatch, sns  # noqa: PLC0415

    dispatch = cloudwatch._dispatch_alarm_actions  # noqa: SLF001

    def dispatch_where_allowed(alarm: Mapping[str, Any], *state: str) -> None:
        def allowed(action: str) -> bool:
            account = alarm["AlarmArn"].split(":")[4]
            return bool(sns.topic_policy_allows(action, "cloudwatch.amazonaws.com", alarm["AlarmArn"], account))

        kinds = ("AlarmActions", "OKActions", "InsufficientDataActions")
        dispatch({**alarm, **{kind: list(filter(allowed, alarm.get(kind) or [])) for kind in kinds}}, *state)

    cloudwatch._dispatch_alarm_actions = dispatch_where_allowed  # noqa: SLF001


def install() -> None:
    """Have ministack, which this process is going to run, send e-mails to the subscriptions that want them."""
    hide_pending()
    ask_topics()
    from ministack.services import ses, sns  # noqa: PLC0415 - reads its settings when it is imported

    subscribe, fan_out = sns._subscribe, sns._fanout  # noqa: SLF001
    sns._HOST = HOST  # noqa: SLF001

    def send(topic: str, to: str, subject: str, text: str) -> None:
        found = sns._topic_by_arn_any_scope(topic) or {}  # noqa: SLF001
        name = found.get("attributes", {}).get("DisplayName") or "AWS Notifications"
        ses._record_send(f"{name} <{SENDER}>", [to], subject=subject, body_text=text, type_name="SNS")  # noqa: SLF001

    def subscribe_by_mail(parameters: Mapping[str, Any]) -> Any:
        topic, to = (sns._p(parameters, name) for name in ("TopicArn", "Endpoint"))  # noqa: SLF001
        before = sns._topic_by_arn_any_scope(topic) or {"subscriptions": []}  # noqa: SLF001
        known = [one for one in before["subscriptions"] if (one["protocol"], one["endpoint"]) == (PROTOCOL, to)]
        answer = subscribe(parameters)
        if sns._p(parameters, "Protocol") != PROTOCOL or answer[0] != 200 or (known and known[0]["confirmed"]):  # noqa: SLF001
            return answer
        found = sns._topic_by_arn_any_scope(topic)["subscriptions"]  # noqa: SLF001
        one = next(one for one in found if (one["protocol"], one["endpoint"]) == (PROTOCOL, to))
        one.update(confirmed=False, token=one["token"] or uuid.uuid4().hex * 2)
        one["attributes"] |= {"PendingConfirmation": "true", "ConfirmationWasAuthenticated": "false"}
        query = urlencode({"Action": "ConfirmSubscription", "TopicArn": topic, "Token": one["token"]})
        link = f"http://{HOST}:{sns._PORT}/?{query}"  # noqa: SLF001
        send(topic, to, "AWS Notification - Subscription Confirmation", CONFIRMATION.format(topic=topic, link=link))
        if sns._p(parameters, "ReturnSubscriptionArn") == "true":  # noqa: SLF001
            return answer
        content = "<SubscribeResult><SubscriptionArn>pending confirmation</SubscriptionArn></SubscribeResult>"
        return sns._xml(200, "SubscribeResponse", content)  # noqa: SLF001

    def fan_out_by_mail(topic: str, identifier: str, message: str, subject: str, *more: Any, **named: Any) -> None:
        fan_out(topic, identifier, message, subject, *more, **named)
        structure, attributes = (*more, *("", None)[len(more) :])
        found = sns._topic_by_arn_any_scope(topic) or {"subscriptions": []}  # noqa: SLF001
        text = sns._resolve_message_for_protocol(message, structure, PROTOCOL)  # noqa: SLF001
        for one in found["subscriptions"]:
            wanted = one["protocol"] == PROTOCOL and one["confirmed"]
            if wanted and sns._matches_filter_policy(one, attributes or {}, text):  # noqa: SLF001
                send(topic, one["endpoint"], subject or "AWS Notification Message", text_of(text))

    sns._subscribe, sns._fanout = subscribe_by_mail, fan_out_by_mail  # noqa: SLF001
