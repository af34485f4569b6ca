"""What the commands say, Korean and English, and in which of the two."""

from __future__ import annotations

import locale
import os
from collections.abc import Mapping

__all__ = ["EN", "KO", "Words", "language_here"]

KO: dict[str, str] = {
    "app_missing": "쇼핑몰의 Verifier가 어디에 있는지 알려 주세요: "
    "--app 모듈:이름 (예: --app shop:verifier) 또는 환경 변수 IMP_VERIFY_APP",
    "app_form": "--app은 모듈:이름이어야 합니다 (예: shop:verifier). 받은 값: {spec}",
    "app_no_module": "--app {spec}: 모듈을 찾을 수 없습니다: {module} "
    "(찾은 곳: {folder}, 그리고 Python의 경로)",
    "app_import": "--app {spec}: 모듈 {module}의 import가 실패했습니다: {error}",
    "app_no_name": "--app {spec}: 모듈 {module}에 이런 이름이 없습니다: {name}",
    "app_no_verifier": "--app {spec}: Verifier도, AsyncVerifier도, 그 가운데 하나를 만드는 "
    "함수도 아닙니다: {kind}",
    "app_raised": "--app {spec}: Verifier를 만드는 함수가 실패했습니다: {error}",
    "app_made": "--app {spec}: 함수가 만든 것이 Verifier도 AsyncVerifier도 아닙니다: {kind}",
    "order_missing": "계정이 여럿이면({accounts}) 주문번호도 적어야 합니다: "
    "어느 계정에 물어볼지는 주문이 정합니다. imp-verify verify IMP_UID ORDER",
    "gateway_said": "아임포트의 답",
    "order_asks": "주문이 요구하는 것",
    "no_payment": "아임포트에 없는 결제입니다.",
    "no_payment_live": "실결제 모드에서는 테스트 결제도 없는 결제로 나옵니다 (IMP_TEST_MODE).",
    "no_order": "쇼핑몰에 없는 주문입니다.",
    "other_order": "이 결제는 다른 주문의 것이어서, 주문은 조회하지 않았습니다.",
    "receipt_counts": "주문 대신, 이 결제를 이 주문의 것으로 기록해 둔 영수증과 비교했습니다.",
    "rule": "규칙",
    "paid_with": "결제",
    "asked": "주문",
    "order": "주문번호",
    "test_payment": "테스트 결제",
    "card_registration": "카드 등록",
    "account": "계정",
    "currency": "통화",
    "amount": "금액",
    "pay_method": "결제수단",
    "pg_provider": "PG",
    "pay_methods": "허용한 결제수단",
    "pg_providers": "허용한 PG",
    "cancel_amount": "취소된 금액",
    "status": "상태",
    "paid_at": "결제 시각",
    "failed_at": "실패 시각",
    "cancelled_at": "취소 시각",
    "fail_reason": "실패 사유",
    "vbank_due": "입금기한",
    "open": "결제를 받는지",
    "yes": "예",
    "no": "아니요",
    "allowed": "허용",
    "verdict": "판정",
    "reason": "사유",
    "store_did": "스토어가 한 일",
    "settled_new": "새로 기록했습니다",
    "settled_repeated": "이미 기록된 그대로입니다",
    "settled_duplicate": "다른 결제가 이미 이 주문을 결제했습니다: 환불할 돈입니다",
    "settled_late": "주문이 닫힌 뒤에 들어온 돈입니다: 환불할 돈입니다",
    "settled_review": "사람이 확인하도록 남겨 두었습니다",
    "settled_none": "기록할 것이 없습니다",
    "dry_run": "아무것도 하지 않았고 훅도 부르지 않았습니다 (--dry-run). 중복 결제나 늦은 "
    "결제인지는 기록할 때 스토어가 판단합니다",
    "bad_time": "{option}은 ISO 8601 날짜나 시각이어야 합니다 (예: 2026-01-31 또는 "
    "2026-01-31T09:00, 한국 시간). 받은 값: {text}",
    "csv_unwritable": "--csv {path}: 파일을 쓸 수 없습니다: {error}",
    "found": "발견한 것",
    "imp_uid": "결제번호",
    "money": "금액",
    "became": "결과",
    "count": "건수",
    "repaired": "바로잡은 금액",
    "kind_missing": "기록에 없는 결제",
    "kind_refund_missing": "기록에 없는 환불",
    "kind_differs": "기록과 다름",
    "kind_unknown_order": "쇼핑몰에 없는 주문",
    "kind_waiting_paid": "입금되었는데 대기 중",
    "kind_waiting_over": "기한이 지난 가상계좌",
    "kind_due": "환불할 돈",
    "kind_not_there": "조회되지 않음",
    "kind_too_old": "스토어가 시작되기 전의 결제",
    "kind_unreadable": "읽을 수 없음",
    "reconcile_nothing": "발견된 것이 없습니다.",
    "reconcile_did": "{since}부터 {until}까지 결제 {payments}건을 비교했고, 아임포트에 {calls}번 "
    "조회했습니다.",
    "reconcile_passed": "그 가운데 테스트 결제 {count}건은 세기만 하고 판정하지 않았습니다.",
    "reconcile_more": "표에 없는 것이 {count}건 더 있습니다: --csv나 --json은 모두 보여 줍니다.",
    "reconcile_bar": "결제 {payments}/{total}, 조회 {calls}번",
    "reconcile_position": "끝나지 않았습니다. 한 일은 그대로 남습니다. 멈춘 곳{account}: "
    "{since}부터 {until}까지, {page}페이지 (마지막 페이지부터 읽음), 결제 {payments}/{total}건.",
    "reconcile_kept": "--since와 --until 없이 다시 실행하면 끝낸 페이지 다음부터 이어서 합니다.",
    "reconcile_again": "같은 옵션으로 다시 실행하세요. 이미 기록된 것은 다시 기록하지 않습니다.",
    "reconcile_not_begun": "시작하지 못했습니다.",
    "good": "정상",
    "warn": "주의",
    "bad": "문제",
    "do_token": "IMP_KEY와 IMP_SECRET을 콘솔의 API 키와 비교하세요. 시크릿을 재발급하면 이전 "
    "것은 쓸 수 없습니다. 콘솔에서 허용 IP를 정했다면 이 서버가 들어 있는지도 보세요.",
    "do_gateway": "이 서버에서 {base_url}에 연결할 수 있는지(DNS, 방화벽, 프록시, TLS 1.2 이상) "
    "확인하세요.",
    "check_token": "토큰",
    "token_good": "{base_url}에서 {seconds}초 만에 토큰을 받았습니다",
    "check_clock": "시계",
    "clock_good": "아임포트의 시계와 {seconds}초 이내로 같습니다",
    "clock_warn": "아임포트의 시계와 {seconds}초 다릅니다",
    "do_clock": "이 서버의 시계를 맞추세요 (NTP). 판정에는 쓰지 않지만 "
    "로그와 기록의 시각이 틀립니다.",
    "check_lookup": "조회",
    "lookup_good": "결제 조회에 {seconds}초 걸렸습니다",
    "lookup_warn": "결제 조회에 {seconds}초 걸렸습니다. confirm에서 조회에 쓸 수 있는 시간은 "
    "{limit}초입니다",
    "do_lookup": "이 서버와 아임포트 사이의 네트워크를 확인하세요.",
    "check_mode": "모드",
    "mode_live": "실결제: 테스트 결제는 위조로 판정합니다",
    "mode_test": "테스트: 테스트 결제도 돈으로 인정합니다",
    "mode_sandbox": "샌드박스({base_url}): 이 컴퓨터 안에서만 결제합니다",
    "mode_test_live": "공개된 쇼핑몰({public_url})인데 테스트 결제도 돈으로 인정합니다: "
    "누구나 돈을 내지 않고 주문을 결제할 수 있습니다",
    "mode_sandbox_live": "공개된 쇼핑몰({public_url})인데 샌드박스({base_url})에 조회합니다",
    "mode_elsewhere": "아임포트가 아닌 주소에 조회합니다: {base_url}",
    "do_test_mode": "실제로 판매하기 전에 IMP_TEST_MODE나 test_mode를 끄세요.",
    "do_base_url": "IMP_API_URL이나 base_url을 빼면 https://api.iamport.kr에 조회합니다.",
    "check_store": "스토어",
    "store_good": "{kind}: {seconds}초 만에 답했습니다",
    "store_bad": "{kind}: {error}",
    "store_memory": "{kind}: 결제를 메모리에 기록합니다. 프로세스마다 따로이고, 끝나면 사라집니다",
    "do_store": "이 오류가 나는 동안에는 모든 결제 알림에 503으로 답합니다. 데이터베이스가 켜져 "
    "있는지, 스토어에 적은 것인지, 이 사용자가 쓸 수 있는지 확인하세요. SQLite라면 파일과 폴더가 "
    "있는지 보고, 없어진 파일은 쇼핑몰을 멈춘 뒤 되돌려 놓으세요. 오류의 문구는 "
    "docs/troubleshooting.md에 있습니다.",
    "do_store_memory": "SqliteStore, SqlAlchemyStore, DjangoStore 가운데 하나를 쓰세요.",
    "check_tables": "테이블",
    "tables_good": "모두 있습니다",
    "tables_bad": "없는 테이블: {names}",
    "do_tables": "store.create_all()을 한 번 호출하거나 마이그레이션을 실행하세요 "
    "(Django: manage.py migrate).",
    "check_database": "데이터베이스",
    "database_good": "{database}, 격리 수준 {isolation}",
    "database_warn": "{database}, 격리 수준 {isolation}: 파일이 없어서 빈 파일을 만들었습니다",
    "do_database": "첫 결제 전이라면 정상입니다. 아니라면 쇼핑몰의 파일이 없어졌거나 경로가 다른 "
    "것입니다. 쇼핑몰을 멈추고 빈 파일 대신 되돌려 놓으세요.",
    "check_lock_timeout": "잠금 대기",
    "lock_timeout_good": "다른 트랜잭션이 잡은 잠금을 {seconds}초까지 기다립니다",
    "lock_timeout_warn": "잠금을 {seconds}초까지 기다립니다. 조회(timeout {timeout}초)까지 합치면 "
    "웹훅 재발송이 기다리는 15초를 넘습니다",
    "do_lock_timeout": "lock_timeout을 줄이세요. SQLite에서는 busy_timeout, 또는 드라이버의 "
    "timeout입니다.",
    "check_collation": "번호 비교",
    "collation_good": "스토어의 번호 열은 바이트 그대로 비교합니다(주문 테이블은 보지 않습니다)",
    "collation_bad": "서로 다른 번호를 같다고 보는 컬럼: {names}",
    "do_collation": "컬럼을 docs/stores.md에 적힌 형으로 되돌리세요. 주문 두 개가 하나로 "
    "취급됩니다.",
    "check_connections": "연결",
    "connections_good": "오래 열린 연결을 쓰기 전에 확인합니다",
    "connections_warn": "오래 열린 연결이 끊어졌는지 확인하지 않습니다",
    "do_connections": "DATABASES에 CONN_HEALTH_CHECKS = True를 넣으세요.",
    "check_public_url": "공개 주소",
    "public_missing": "public_url이 없어 웹훅 주소를 확인하지 못했습니다",
    "do_public_missing": "IMP_PUBLIC_URL이나 public_url에 쇼핑몰의 주소를 적으세요.",
    "public_good": "{url}에 엔드포인트가 있습니다 (빈 요청에 400)",
    "public_sources": "{url}에 엔드포인트가 있고, webhook_sources에 없는 이 컴퓨터를 거절합니다",
    "public_login": "{url}이 로그인을 요구합니다 ({answer})",
    "do_login": "이 경로를 로그인 검사에서 빼세요: 아임포트는 로그인하지 않습니다.",
    "public_redirect": "{url}이 {location}(으)로 리다이렉트합니다 ({answer})",
    "do_redirect": "콘솔과 public_url에 리다이렉트되지 않는 주소(https, 정확한 호스트)를 적으세요. "
    "아임포트가 리다이렉트를 따라간다는 문서는 없습니다. 로그인 페이지로 보내는 것이라면 이 경로를 "
    "로그인 검사에서 빼세요.",
    "public_not_found": "{url}에 아무것도 없습니다 (404)",
    "do_not_found": "public_url, 엔드포인트를 붙인 경로(--prefix {prefix}), 프록시의 경로를 "
    "확인하세요.",
    "public_forbidden": "{url}이 거절합니다 (403)",
    "do_forbidden": "방화벽이나 CSRF 검사가 막고 있습니다. 이 경로를 빼세요.",
    "public_trouble": "{url}의 서버가 실패했습니다 ({answer})",
    "do_trouble": "쇼핑몰과 프록시의 로그를 보세요.",
    "public_other": "{url}에서 다른 것이 답합니다 ({answer})",
    "do_other": "엔드포인트를 붙인 경로(--prefix {prefix})인지, 다른 페이지가 먼저 답하는지 "
    "확인하세요.",
    "public_refused": "{url}: 연결이 거부되었습니다",
    "do_refused": "쇼핑몰 서버가 켜져 있고 이 포트를 듣는지, 방화벽이 막지 않는지 확인하세요.",
    "public_no_host": "{url}: 이런 호스트가 없습니다",
    "do_no_host": "public_url의 철자와 DNS를 확인하세요.",
    "public_certificate": "{url}: 인증서를 믿을 수 없습니다: {error}",
    "do_certificate": "만료, 호스트 이름, 중간 인증서를 확인하세요.",
    "public_timeout": "{url}: {seconds}초 안에 답이 없습니다",
    "do_timeout": "방화벽을 확인하고, 쇼핑몰 서버가 바쁜지 보세요.",
    "public_unreachable": "{url}: {error}",
    "do_unreachable": "이 컴퓨터에서 쇼핑몰 주소에 연결할 수 있어야 확인할 수 있습니다.",
    "check_senders": "웹훅을 보낸 곳",
    "senders_good": "X-Forwarded-For를 꾸며 보내도 믿지 않습니다. 쇼핑몰 로그에 남은 거절된 "
    "주소가 프록시가 아니라 이 컴퓨터의 주소인지 확인하세요",
    "senders_listed": "X-Forwarded-For를 꾸며 보내도 믿지 않습니다(이 컴퓨터는 webhook_sources에 "
    "있습니다)",
    "senders_believed": "꾸며 보낸 X-Forwarded-For를 믿습니다: webhook_sources의 주소를 적으면 "
    "누구나 아임포트로 통합니다",
    "senders_everybody": "trusted_proxies에 모든 주소가 들어 있습니다: 누구나 보낸 주소를 스스로 "
    "정합니다",
    "do_senders_proxies": "trusted_proxies에는 쇼핑몰 앞의 프록시만 적고, 프록시가 자기가 본 "
    "주소를 덧붙이게 하세요(nginx: proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for).",
    "senders_inside": "꾸며 보낸 X-Forwarded-For를 믿었지만, 이 컴퓨터({address})가 "
    "trusted_proxies에 들어 있습니다",
    "do_senders_inside": "다른 곳에서 보낸 것도 믿는지는 바깥 컴퓨터에서 같은 설정으로 실행해야 "
    "알 수 있습니다.",
    "senders_passes": "webhook_sources에 없는 이 컴퓨터({address})가 아임포트로 통합니다",
    "do_senders_passes": "프록시 주소가 webhook_sources에 있으면 누구나 통하니 trusted_proxies로 "
    "옮기세요. 이 컴퓨터의 공인 주소가 들어 있다면 괜찮습니다.",
    "senders_untried": "X-Forwarded-For를 꾸며 보내니 {url}에서 다른 것이 답해, 믿는지 알 수 "
    "없었습니다",
    "do_senders_untried": "방화벽이나 프록시가 그런 요청을 막는지 보세요. 막는다면 괜찮습니다.",
    "check_versions": "버전",
    "console": "콘솔에 입력할 것",
    "console_webhook": "결제알림(Webhook) URL, 실결제와 테스트 모드 모두: {url} "
    "(JSON이든 폼이든 됩니다. 웹훅 버전은 결제모듈 V1)",
    "console_addresses": "API 호출을 허용할 IP: 쇼핑몰 서버가 밖으로 나갈 때의 주소 (CIDR)",
    "mail": "아임포트에 메일로 요청할 것",
    "mail_resending": "웹훅 재발송: 기본은 꺼져 있어 웹훅은 한 번만 옵니다. 켜면 답이 없거나 "
    "5xx일 때 1분 간격으로 5번까지 다시 보냅니다.",
    "mail_confirm": "승인 전 확인(confirm): 켜져 있어야 이 주소를 부릅니다: {url} "
    "(Checkout(confirm=True))",
    "mail_webhook_first": "웹훅 우선: 구매자를 돌려보내기 전에 웹훅을 먼저 보냅니다.",
    "no_sandbox_named": "샌드박스의 주소를 알려 주세요: --sandbox URL 또는 IMP_API_URL. "
    "imp-verify demo가 자기 샌드박스의 주소를 출력합니다",
    "no_sandbox": "{url}에 샌드박스가 없습니다: {error}",
    "no_address": "웹훅을 받을 주소를 알려 주세요: --to http://127.0.0.1:8000/payments/webhook",
    "no_order_named": "주문번호를 알려 주세요: --order ORD-1001",
    "no_amount": "주문 {order}에 사전등록된 금액이 없습니다. --amount를 적어 주세요.",
    "no_such_payment": "샌드박스에 없는 결제입니다: {imp_uid}",
    "sandbox_refused": "샌드박스가 거절했습니다: {error}",
    "failed_note": "아임포트는 결제창에서 실패한 결제의 웹훅을 보내지 않습니다. "
    "예약 결제가 실패했을 때의 웹훅을 이 명령이 대신 보냅니다.",
    "no_answer": "답이 없습니다: {error}",
    "no_ledger": "이 스토어는 되돌려줄 돈을 기억하지 않습니다. 기본 제공 스토어가 필요합니다.",
    "one_refund": "환불 계좌는 결제 하나에만 줄 수 있습니다.",
    "half_refund": "--holder, --bank, --account-number를 모두 적어 주세요.",
    "nothing_due": "되돌려줄 돈이 없습니다.",
    "tries": "시도",
    "left_to": "다음 시도 또는 이유",
    "person": "사람이 확인",
    "due_forgery": "주문과 다름",
    "due_duplicate": "중복 결제",
    "due_late": "마감 후 결제",
    "due_refused": "주문 처리 불가",
    "app_not_here": "{command}에는 --app이 없습니다: 이 애플리케이션의 Verifier를 씁니다",
    "next_try": "다음 시도 {time}",
    "left_asked": "취소를 요청했습니다: 콘솔에서 확인하세요",
    "left_needs_account": "구매자의 환불 계좌가 필요합니다: --holder, --bank, --account-number",
    "left_unknown_payment": "아임포트에 없는 결제입니다: 사람이 확인",
    "left_order_refunded": "주문의 원래 결제가 취소되었습니다: 사람이 확인",
    "policy_or_ids": "--policy와 결제번호는 함께 쓸 수 없습니다.",
    "dues_left": "되돌려줄 돈이 {count}건 남아 있습니다. imp-verify give-back으로 볼 수 있습니다.",
    "not_due": "되돌려줄 돈으로 기록된 결제가 아닙니다.",
    "due_done": "이미 끝났습니다: 되돌려주었거나 주문의 결제가 되었습니다.",
    "reconcile_failed": "쇼핑몰의 코드가 결제 {count}건에서 실패했습니다. 기록하지 않았으므로 "
    "다음 실행에서 다시 합니다.",
    "reconcile_nothing_read": "끝나지 않았습니다. 아무것도 읽지 못했습니다{account}: "
    "{since}부터 {until}까지.",
    "given_back": "되돌려주었습니다.",
    "pays_now": "주문의 결제로 기록했습니다. 되돌려주지 않습니다.",
    "still_there": "아직 결제가 남아 있습니다. 나중에 취소되는 PG일 수 있으니, "
    "다시 취소하기 전에 먼저 확인하세요.",
}

EN: dict[str, str] = {
    "app_missing": "say where the shop's verifier is: --app module:name (--app shop:verifier, for "
    "example), or the environment variable IMP_VERIFY_APP",
    "app_form": "--app must be module:name, shop:verifier for example, not {spec}",
    "app_no_module": "--app {spec}: there is no module {module} in {folder}, nor on Python's path",
    "app_import": "--app {spec}: importing the module {module} failed: {error}",
    "app_no_name": "--app {spec}: the module {module} has no {name}",
    "app_no_verifier": "--app {spec}: {kind} is no Verifier, no AsyncVerifier, and no function "
    "that makes one",
    "app_raised": "--app {spec}: the function that makes the verifier failed: {error}",
    "app_made": "--app {spec}: the function made {kind}, which is no Verifier and no AsyncVerifier",
    "order_missing": "with several accounts ({accounts}) the order must be named too: it says "
    "which of them to ask. imp-verify verify IMP_UID ORDER",
    "gateway_said": "What the gateway says",
    "order_asks": "What the order asks",
    "no_payment": "The gateway knows no such payment.",
    "no_payment_live": "In live mode it knows no test payment either (IMP_TEST_MODE).",
    "no_order": "The shop knows no such order.",
    "other_order": "The payment is another order's, so no order was looked up.",
    "receipt_counts": "Compared with the receipt that took this payment for this order before, and "
    "not with the order.",
    "rule": "rule",
    "paid_with": "payment",
    "asked": "order",
    "order": "order number",
    "test_payment": "test payment",
    "card_registration": "card registration",
    "account": "account",
    "currency": "currency",
    "amount": "amount",
    "pay_method": "method",
    "pg_provider": "PG",
    "pay_methods": "methods",
    "pg_providers": "PGs",
    "cancel_amount": "cancelled",
    "status": "status",
    "paid_at": "paid at",
    "failed_at": "failed at",
    "cancelled_at": "cancelled at",
    "fail_reason": "why it failed",
    "vbank_due": "to be paid in by",
    "open": "open",
    "yes": "yes",
    "no": "no",
    "allowed": "allowed",
    "verdict": "verdict",
    "reason": "reason",
    "store_did": "the store",
    "settled_new": "recorded it now",
    "settled_repeated": "had recorded it before",
    "settled_duplicate": "another payment had paid the order: money to give back",
    "settled_late": "the order was closed before the money came: money to give back",
    "settled_review": "kept it for a person to look at",
    "settled_none": "keeps nothing of it",
    "dry_run": "did nothing (--dry-run), and called no hook; whether it is a duplicate or late is "
    "decided there, when it is recorded",
    "bad_time": "{option} must be an ISO 8601 date or time, 2026-01-31 or 2026-01-31T09:00 for "
    "example (Korean time), not {text}",
    "csv_unwritable": "--csv {path}: the file cannot be written: {error}",
    "found": "found",
    "imp_uid": "payment",
    "money": "money",
    "became": "what became of it",
    "count": "count",
    "repaired": "repaired",
    "kind_missing": "paid, not recorded",
    "kind_refund_missing": "refund not recorded",
    "kind_differs": "differs from the record",
    "kind_unknown_order": "no such order",
    "kind_waiting_paid": "paid, recorded as waiting",
    "kind_waiting_over": "account ran out",
    "kind_due": "to be given back",
    "kind_not_there": "not there when looked up",
    "kind_too_old": "from before the store began",
    "kind_unreadable": "unreadable",
    "reconcile_nothing": "Nothing was found.",
    "reconcile_did": "Payments compared from {since} to {until}: {payments}, calls to the gateway: "
    "{calls}.",
    "reconcile_passed": "Of them test payments, counted and not judged: {count}.",
    "reconcile_more": "Not in the table: {count} more. --csv and --json have them all.",
    "reconcile_bar": "{payments}/{total} payments, {calls} calls",
    "reconcile_position": "not finished; what is done stays. It stopped{account} in {since} to "
    "{until}, page {page} (the last page is read first), with {payments} of {total} payments "
    "compared.",
    "reconcile_kept": "Run it again without --since and --until: it goes on after the last page "
    "that was done.",
    "reconcile_again": "Run it again with the same options: what is recorded is not recorded "
    "twice.",
    "reconcile_not_begun": "It did not begin.",
    "good": "good",
    "warn": "warn",
    "bad": "bad",
    "do_token": "Compare IMP_KEY and IMP_SECRET with the API keys in the console: a secret that is "
    "issued anew ends the old one. Where the console allows certain addresses only, this server's "
    "must be among them.",
    "do_gateway": "See that this machine reaches {base_url}: DNS, firewall, proxy, TLS 1.2 or "
    "newer.",
    "check_token": "token",
    "token_good": "{base_url} gave one in {seconds} s",
    "check_clock": "clock",
    "clock_good": "within {seconds} s of the gateway's",
    "clock_warn": "{seconds} s away from the gateway's",
    "do_clock": "Set this machine's clock (NTP). No verdict depends on it, but the times in logs "
    "and records are wrong.",
    "check_lookup": "look-up",
    "lookup_good": "a payment was asked about in {seconds} s",
    "lookup_warn": "asking about a payment took {seconds} s; confirm has {limit} s for it",
    "do_lookup": "Look at the network between this machine and the gateway.",
    "check_mode": "mode",
    "mode_live": "live: test payments are forgeries",
    "mode_test": "test: payments of test channels count as money",
    "mode_sandbox": "the sandbox at {base_url}: payments on this machine only",
    "mode_test_live": "{public_url} is a public shop, and test payments count as money: anybody "
    "can have an order paid without paying",
    "mode_sandbox_live": "{public_url} is a public shop, and it asks the sandbox at {base_url}",
    "mode_elsewhere": "asks an address that is not the gateway's: {base_url}",
    "do_test_mode": "Take IMP_TEST_MODE or test_mode away before you sell anything.",
    "do_base_url": "Without IMP_API_URL and base_url https://api.iamport.kr is asked.",
    "check_store": "store",
    "store_good": "{kind} answered in {seconds} s",
    "store_bad": "{kind}: {error}",
    "store_memory": "{kind} keeps payments in memory: each process its own, until it ends",
    "do_store": "As long as it fails, every notice is answered 503. See that the database runs, is "
    "the one that the store names, and lets this user write. With SQLite see that the file and its "
    "folder are there; put a lost file back while the shop is stopped. The error's words are in "
    "docs/troubleshooting.md.",
    "do_store_memory": "Use SqliteStore, SqlAlchemyStore or DjangoStore.",
    "check_tables": "tables",
    "tables_good": "all there",
    "tables_bad": "not there: {names}",
    "do_tables": "Call store.create_all() once, or migrate (Django: manage.py migrate).",
    "check_database": "database",
    "database_good": "{database}, isolation level {isolation}",
    "database_warn": "{database}, isolation level {isolation}: the file was not there, and an "
    "empty one was made now",
    "do_database": "Right before the first payment. Else the shop's file is gone, or has another "
    "path: stop the shop and put it back in place of the empty one.",
    "check_lock_timeout": "lock time-out",
    "lock_timeout_good": "waits {seconds} s for a lock that somebody else holds",
    "lock_timeout_warn": "waits {seconds} s for a lock; together with the look-up (timeout "
    "{timeout} s) that is longer than the 15 s that the gateway waits when it resends",
    "do_lock_timeout": "Lower lock_timeout; on SQLite busy_timeout, or the driver's timeout.",
    "check_collation": "numbers",
    "collation_good": "the store's own columns compare byte for byte (your orders' table is not "
    "looked at)",
    "collation_bad": "different numbers are one in {names}",
    "do_collation": "Give the columns back the types of docs/stores.md: two orders are treated as "
    "one.",
    "check_connections": "connections",
    "connections_good": "those that live on are looked at before they are used",
    "connections_warn": "those that live on are used without a look whether they are closed",
    "do_connections": "Set CONN_HEALTH_CHECKS = True in DATABASES.",
    "check_public_url": "public address",
    "public_missing": "there is no public_url, so the webhook's address was not tried",
    "do_public_missing": "Set IMP_PUBLIC_URL, or public_url, to the shop's address.",
    "public_good": "{url} is the endpoint (400 to an empty request)",
    "public_sources": "{url} is the endpoint, and refuses this machine, which is not in "
    "webhook_sources",
    "public_login": "{url} wants a log-in ({answer})",
    "do_login": "Take this path out of the log-in check: the gateway does not log in.",
    "public_redirect": "{url} redirects to {location} ({answer})",
    "do_redirect": "Enter an address that does not redirect (https, the exact host) in the console "
    "and as public_url: nothing says that the gateway follows. Where it leads to a log-in, take "
    "this path out of that check.",
    "public_not_found": "{url} is not there (404)",
    "do_not_found": "See that public_url is right, where the endpoints are mounted "
    "(--prefix {prefix}), and what the proxy does with paths.",
    "public_forbidden": "{url} is forbidden (403)",
    "do_forbidden": "A firewall or a CSRF check is in the way: take this path out of it.",
    "public_trouble": "{url}: the server fails ({answer})",
    "do_trouble": "Look at the logs of the shop and of the proxy.",
    "public_other": "something else answers at {url} ({answer})",
    "do_other": "See where the endpoints are mounted (--prefix {prefix}), and whether another page "
    "takes the path first.",
    "public_refused": "{url}: the connection was refused",
    "do_refused": "See that the shop's server runs and listens on this port, and the firewall.",
    "public_no_host": "{url}: there is no such host",
    "do_no_host": "See the spelling of public_url, and the DNS.",
    "public_certificate": "{url}: the certificate is not to be trusted: {error}",
    "do_certificate": "See its last day, its host names, and the intermediate certificate.",
    "public_timeout": "{url}: no answer within {seconds} s",
    "do_timeout": "See the firewall, and whether the shop's server is busy.",
    "public_unreachable": "{url}: {error}",
    "do_unreachable": "This machine must reach the shop's address for this to be tried.",
    "check_senders": "senders",
    "senders_good": "a made X-Forwarded-For is not believed; see that the sender which the shop's "
    "log says it refused is this machine, and not a proxy",
    "senders_listed": "a made X-Forwarded-For is not believed (this machine is in webhook_sources)",
    "senders_believed": "a made X-Forwarded-For is believed: who writes an address of "
    "webhook_sources there passes for the gateway",
    "senders_everybody": "trusted_proxies holds every address: who sends says who sent",
    "do_senders_proxies": "Name your own proxies alone in trusted_proxies, and have them add the "
    "address they see (nginx: proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for).",
    "senders_inside": "a made X-Forwarded-For was believed, but of this machine ({address}), "
    "which is itself in trusted_proxies",
    "do_senders_inside": "Whether strangers are believed is seen from outside: run it there with "
    "the same settings.",
    "senders_passes": "this machine ({address}) passes for the gateway, and is not in "
    "webhook_sources",
    "do_senders_passes": "If a proxy's address is in webhook_sources, everybody passes: put it "
    "into trusted_proxies instead. If this machine's public address is, all is well.",
    "senders_untried": "something else answered at {url} to a made X-Forwarded-For, so it was not "
    "learned whether one is believed",
    "do_senders_untried": "See whether a firewall or proxy stops such requests; that is good too.",
    "check_versions": "versions",
    "console": "Enter in the console",
    "console_webhook": "Webhook URL, for live and for test mode: {url} (JSON or form, either will "
    "do; the webhook's version is V1)",
    "console_addresses": "The addresses that may call the API: those under which the shop's "
    "servers reach the internet (CIDR)",
    "mail": "Ask the vendor for by mail",
    "mail_resending": "Resending of webhooks: off by default, so each comes once; switched on, up "
    "to 5 times, a minute apart, where there is no answer or 5xx.",
    "mail_confirm": "The confirm process: needed before {url} is called (Checkout(confirm=True)).",
    "mail_webhook_first": "Webhook first: the webhook comes before the buyer is sent back.",
    "no_sandbox_named": "say where the sandbox is: --sandbox URL, or IMP_API_URL; imp-verify demo "
    "prints the address of its own",
    "no_sandbox": "no sandbox at {url}: {error}",
    "no_address": "say where the webhook goes: --to http://127.0.0.1:8000/payments/webhook",
    "no_order_named": "say for which order: --order ORD-1001",
    "no_amount": "nothing is registered for order {order}: give its --amount",
    "no_such_payment": "the sandbox has no such payment: {imp_uid}",
    "sandbox_refused": "the sandbox refuses: {error}",
    "failed_note": "The gateway sends no webhook for a payment that failed in its window. This "
    "command sends the one of a scheduled charge that failed.",
    "no_answer": "no answer: {error}",
    "no_ledger": "this store does not remember what is due; it needs a ready-made one",
    "one_refund": "a bank account is for one payment alone",
    "half_refund": "give all of --holder, --bank and --account-number",
    "nothing_due": "Nothing is due back.",
    "tries": "tries",
    "left_to": "next try, or why not",
    "person": "a person decides",
    "due_forgery": "not what the order asks",
    "due_duplicate": "second payment",
    "due_late": "came late",
    "due_refused": "order cannot be fulfilled",
    "app_not_here": "{command} takes no --app: it has the verifier of this application",
    "next_try": "next try {time}",
    "left_asked": "its cancel was asked for: look in the console",
    "left_needs_account": "needs the buyer's bank account: --holder, --bank, --account-number",
    "left_unknown_payment": "the gateway knows no such payment: a person decides",
    "left_order_refunded": "the order's own payment was cancelled: a person decides",
    "policy_or_ids": "--policy or payments by their ids, not both",
    "dues_left": "still due: {count}. imp-verify give-back lists them.",
    "not_due": "nothing is due back of it",
    "due_done": "due no more: it was given back, or it pays its order",
    "reconcile_failed": "the shop's own code failed over {count} payments. They are not recorded: "
    "the next run comes back to them.",
    "reconcile_nothing_read": "not finished; nothing was read{account} in {since} to {until}.",
    "given_back": "given back",
    "pays_now": "pays its order now, and is not given back",
    "still_there": "not seen to be gone: a PG may cancel later. Look before you repeat it.",
}


class Words:
    """The sentences of one language: `words("app_form", spec=...)`.

    Args:
        language: "ko" or "en"; None takes that of the machine, where it is Korean, else English.
    """

    def __init__(self, language: str | None = None) -> None:
        self._table: Mapping[str, str] = KO if (language or language_here()) == "ko" else EN

    def __call__(self, key: str, **values: object) -> str:
        return self._table[key].format_map(values)


def language_here() -> str:
    """Return "ko" where the environment, or else the system, is Korean, and "en" elsewhere."""
    named = (os.environ.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    found = next(filter(None, named), None) or locale.getlocale()[0] or ""
    return "ko" if found.lower().startswith("ko") else "en"  # ko_KR.UTF-8, Korean_Korea.949
