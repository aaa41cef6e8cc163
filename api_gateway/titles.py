"""The titles of problems in Vietnamese, for callers whose `Accept-Language` prefers it.

RFC 9457 (section 3.1.3) lets a title change for localization alone. `detail`, which holds a
caller's own names and the engine's words, stays in English.
"""

from __future__ import annotations

LANGUAGES = ("en", "vi")
VIETNAMESE = {
    "access_denied": "Chưa được cấp quyền đọc bảng",
    "answer_too_large": "Kết quả quá lớn",
    "bad_parameters": "Tham số không khớp với truy vấn",
    "bad_request": "Yêu cầu sai cú pháp",
    "busy": "Mọi tiến trình truy vấn đang bận",
    "column_unknown": "Không có cột này",
    "decision_unavailable": "Hiện chưa xác nhận được quyền truy cập",
    "edition_not_ready": "Bản dữ liệu dành cho người gọi chưa sẵn sàng",
    "encoding_not_read": "Không đọc được mã nén của yêu cầu",
    "export_not_found": "Không có tệp xuất này",
    "export_not_ready": "Tệp xuất chưa có kết quả",
    "exports_full": "Hiện hết chỗ cho tệp xuất",
    "filter_invalid": "Không đọc được bộ lọc",
    "format_not_served": "Không cung cấp định dạng này",
    "format_unsuited": "Kết quả không ghi được bằng định dạng này",
    "function_not_allowed": "Hàm này không được phép dùng",
    "idempotency_key_reused": "Khóa Idempotency-Key này thuộc về một yêu cầu khác",
    "internal_error": "Cổng truy vấn gặp lỗi",
    "lake_unavailable": "Hiện không đọc được dữ liệu",
    "link_invalid": "Liên kết không hợp lệ",
    "method_not_allowed": "Phương thức này không dùng được ở đây",
    "not_found": "Không có trang này",
    "not_singular": "Kết quả không phải là đúng một dòng",
    "query_cancelled": "Truy vấn đã bị hủy",
    "query_crashed": "Tiến trình của truy vấn kết thúc bất ngờ",
    "precondition_failed": "Tệp này là một tệp khác",
    "query_failed": "Truy vấn hỏng ở một giá trị",
    "query_invalid": "Truy vấn không khớp với các bảng",
    "query_memory_exceeded": "Truy vấn cần nhiều bộ nhớ hơn mức cho phép",
    "query_not_found": "Không có truy vấn nào như vậy đang chạy",
    "query_timeout": "Truy vấn chạy quá lâu",
    "query_too_complex": "Truy vấn quá phức tạp",
    "quota_exceeded": "Đã dùng hết hạn mức",
    "range_not_satisfiable": "Tệp không có những byte này",
    "rate_limited": "Quá nhiều yêu cầu",
    "receipt_not_found": "Không có biên nhận này",
    "request_too_large": "Yêu cầu quá lớn",
    "sandbox_incomplete": "Máy này không phục vụ các bảng cần giấy phép",
    "sql_syntax": "Câu SQL sai cú pháp",
    "statement_not_allowed": "Chỉ nhận đúng một câu SELECT",
    "table_not_found": "Không có bảng này",
    "token_invalid": "Mã truy cập không hợp lệ",
    "table_unreadable": "Hiện không đọc được bảng này",
    "too_many_exports": "Quá nhiều tệp xuất",
    "too_many_queries": "Quá nhiều truy vấn cùng lúc",
    "version_not_found": "Bảng không có phiên bản này",
}
