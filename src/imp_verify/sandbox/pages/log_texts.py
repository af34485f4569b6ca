"""The words of the list of payments and of the log, Korean and English."""

from __future__ import annotations

KO = {
    "list": "모든 결제",
    "to_shop": "상점으로 돌아가기",
    "list_title": "샌드박스 결제 내역",
    "list_empty": "아직 결제가 없습니다. 상점에서 결제를 시작해 보세요.",
    "time": "시각",
    "webhooks": "보낸 웹훅",
    "webhooks_empty": "아직 보낸 웹훅이 없습니다.",
    "pending": "대기 중인 웹훅",
    "send": "지금 보내기",
    "address": "주소",
    "body": "본문",
    "answer": "응답",
}

EN = {
    "list": "All payments",
    "to_shop": "Back to the shop",
    "list_title": "Payments in the sandbox",
    "list_empty": "No payments yet. Start one in the shop.",
    "time": "Time",
    "webhooks": "Webhooks sent",
    "webhooks_empty": "No webhook was sent yet.",
    "pending": "Webhooks kept back",
    "send": "Send now",
    "address": "Address",
    "body": "Body",
    "answer": "Answer",
}
