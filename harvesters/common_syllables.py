"""Vietnamese syllables that are common in names, addresses and reports.

Some bytes are Vietnamese in two encodings: `Không` read as TCVN3 is `Khụng`. Where a column holds
both Unicode and older text, the reading that people write is the one that was meant.
"""

from __future__ import annotations

COMMON = frozenset(
    """
    có không là và các của cho được trong với những một này khi đã để theo từ tại về trên dưới sau
    trước năm tháng ngày giờ tuần quý số tổng cộng sổ mã tên họ chữ giới nam nữ tuổi sinh quê quán
    xã phường quận huyện tỉnh thành phố thị trấn thôn xóm tổ ấp khu đường ngõ ngách hẻm nhà phòng
    tầng cầu chợ hồ sông núi làng bản bãi bến trạm trường lớp học viện bệnh công ty cổ phần tư nhân
    doanh nghiệp hộ kinh chủ đầu dự án vốn pháp định thực hiện nước ngoài vùng lãnh thổ hình thức
    sở ban ngành ủy uỷ nhân dân hội đồng quyết nghị thông báo cáo kế hoạch tài chính ngân sách thu
    chi thuế phí lệ quỹ tín dụng nợ tiền giá trị tỷ triệu nghìn trăm đồng tấn tạ yến cái bộ chiếc
    lượt người con cây tốt khá trung bình yếu kém đạt chưa đang mới cũ nghèo cận giàu lớn nhỏ cao
    thấp dài rộng sâu nhanh chậm nhiều ít đủ thiếu còn hết đúng sai rõ xấu sạch bẩn xanh đỏ vàng
    trắng đen tím hồng nâu xám
    hà nội hải dương hưng yên bắc ninh giang thái bình vĩnh phúc phú thọ quảng ninh lạng sơn lào cai
    hòa hoà thanh hóa hoá nghệ an tĩnh huế đà nẵng ngãi định khánh lâm đồng nai bà rịa vũng tàu tây
    long tiền bến tre trà cần sóc bạc liêu cà mau kiên tháp hậu đắk lắk gia lai kon tum thuận
    nguyễn trần lê phạm hoàng huỳnh phan vũ võ đặng bùi đỗ ngô lý đào đoàn vương trịnh trương đinh
    phùng tô lương lưu tăng văn đức minh ngọc quang hữu xuân bích kim tuấn châu dũng hạnh hằng hiếu
    hoa hùng hương lan linh mai nga nhung phương quân quỳnh tâm thảo thắng thủy thuỷ trang tú tùng
    uyên việt yến ánh ý cúc nhã nhàn oánh toàn đạt tiến thành trọng nghĩa lộc tài bảo cường
    gò vấp tân bình thạnh củ chi hóc môn nhơn đống đa ba đình hoàn kiếm cầu giấy long biên thụy khê
    láng hạ thượng từ liêm trì oai ứng mỹ chương quốc thạch thất mê ba vì đan hoài tín xuyên lĩnh
    ô dừa khâm thiên liễu vạn bồ đề gióng phù nghĩa cổ loa bát tràng đại kim lũ yên sở
    chăn nuôi trồng trọt lúa ngô khoai sắn rau quả chè cà phê mía đậu lạc vừng bò trâu lợn gà vịt cá
    tôm thủy sản lâm nghiệp rừng gỗ dầu khí điện than thép xi măng dệt may da giày cơ điện tử hóa
    chất nhựa giấy in dược phẩm y tế giáo dục văn hóa thể thao du lịch khách sạn hàng ăn uống vận
    tải bưu viễn thông xây dựng bán buôn lẻ bảo hiểm môi trường nước thải rác khí bụi độ ẩm nhiệt
    lúc gió mưa nắng đo trị mức loại nhóm mục điều khoản chương trình tình trạng ghi chú giải thích
    khác cùng cả mỗi từng hoặc nếu thì mà vì do bởi nên phải cần muốn làm việc gửi nhận nộp cấp phép
    đăng ký giấy chứng minh căn cước hộ khẩu địa chỉ điện thoại thư liên hệ đơn vị đội lãnh đạo
    trưởng phó giám đốc bí chuyên viên cán sĩ tá úy uý tướng quân lực lượng vũ trang công chánh
    ông bà anh chị em cô chú bác cháu bố mẹ vợ chồng
    kỳ tự thống dụ phụ cột bỏ ngũ thừa vụ móng trụ cờ túc trống thụ cũng phút thúc dừng chúng hỏi cự
    ấn cố nhớ khớp giống hộp sự sớm tốn tụ thơ lỗi nhị cốc mơ gồm hơn nơi tối mối khối nối bốn ống
    rồi sơ cống lộ mộ ích ở ừ ý tiếng
    """.split()  # noqa: SIM905
)
