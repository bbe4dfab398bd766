// The words of the page, in Korean; the keys are those of en.js.
import seats from "./seats_ko.js";

export default {
	...seats,

	// app
	"app.promise": "공정한 대기열. 한 좌석은 단 한 번만 판매됩니다.",
	"app.language": "언어",
	"app.skip": "본문으로 건너뛰기",
	"app.loading": "불러오는 중…",
	"app.trouble": "문제가 발생했습니다",
	"app.again": "다시 시도",

	// missing
	"missing.title": "페이지를 찾을 수 없습니다",
	"missing.back": "판매 중인 공연 보기",

	// header
	"header.nav": "주 메뉴",
	"header.home": "onsale, 판매 중인 공연으로",
	"header.events": "공연",
	"header.reservations": "내 예매",
	"header.account": "내 계정",
	"header.login": "로그인",
	"header.logout": "로그아웃",
	"header.pass": "입장 가능",
	"header.passLabel": "차례가 되었습니다. 좌석을 고를 시간이 {time} 남았습니다",
	"header.lastMinute": "좌석을 고를 시간이 1분 남았습니다.",
	"header.waiting": "대기 {position}번째",
	"header.waitingUnknown": "대기 중",

	// error
	"error.offline": "인터넷에 연결되어 있지 않습니다. 다시 연결되면 이어서 진행됩니다.",
	"error.network": "서버에 연결할 수 없습니다. 잠시 후 다시 시도해 주세요.",
	"error.page": "이 페이지에 문제가 생겼습니다. 새로 고쳐 주세요.",
	"error.other": "문제가 발생했습니다. 다시 시도해 주세요. (요청 {id})",
	"error.busy": "지금 접속자가 매우 많습니다. 잠시 후 다시 시도해 주세요.",
	"error.unavailable": "지금은 이용할 수 없습니다. 잠시 후 다시 시도해 주세요.",
	"error.outcome_unknown": "처리 여부를 아직 확인하지 못했습니다. 다시 시도해도 한 번만 처리되니 안심하세요.",
	"error.request_in_flight": "앞서 보낸 요청을 처리하고 있습니다. 잠시 후 다시 시도해 주세요.",
	"error.rate_limited": "요청이 너무 많습니다. 잠시 후 다시 시도해 주세요.",
	"error.unauthorized": "다시 로그인해 주세요.",
	"error.invalid_credentials": "이메일 주소 또는 비밀번호가 올바르지 않습니다.",
	"error.forbidden": "운영자만 이용할 수 있습니다.",
	"error.email_taken": "이미 가입된 이메일 주소입니다. 로그인하시겠습니까?",
	"error.proof_required": "브라우저 확인을 마치지 못했습니다. 다시 시도해 주세요.",
	"error.proof_invalid": "브라우저 확인을 마치지 못했습니다. 다시 시도해 주세요.",
	"error.proof_expired": "브라우저 확인 시간이 지났습니다. 다시 시도해 주세요.",
	"error.event_not_found": "해당 공연이 없습니다.",
	"error.performance_not_found": "해당 회차가 없습니다.",
	"error.reservation_not_found": "해당 예매 내역이 없습니다.",
	"error.queue_disabled": "이 공연은 대기열 없이 바로 좌석을 고를 수 있습니다.",
	"error.place_expired": "대기 순서가 종료되었습니다.",
	"error.sale_not_open": "아직 판매가 시작되지 않았습니다.",
	"error.sold_out": "남은 좌석이 부족합니다.",
	"error.hold_expired": "예약 시간이 지났습니다. 결제된 금액은 없습니다.",
	"error.reservation_cancelled": "취소된 예매입니다.",
	"error.already_paid": "이미 결제된 예매입니다.",
	"error.insufficient_balance": "잔액이 부족합니다.",
	"error.validation_failed": "입력한 내용을 확인해 주세요.",
	"error.internal": "서버에 문제가 발생했습니다. 다시 시도해 주세요.",
};
