import Foundation
import TernCore
import TernData
import Testing

/// A JPEG of which only a part is decoded gives what the whole picture gives.
@Suite struct PicturePartTests {
  /// Waves, 200×150 pixels, chroma at half the resolution, written by Pillow 13.
  private static let jpeg = """
    /9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABcQERQRDhcUEhQaGBcbIjklIh8fIkYyNSk5UkhXVVFIUE5bZoNvW2F8Yk5Q\
    cptzfIeLkpSSWG2grJ+OqoOPko3/2wBDARgaGiIeIkMlJUONXlBejY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2NjY2N\
    jY2NjY2NjY2NjY2NjY2NjY2NjY3/wAARCACWAMgDASIAAhEBAxEB/8QAGgAAAgMBAQAAAAAAAAAAAAAAAwQAAgUBBv/E\
    AB8QAAMBAQEAAwEBAQAAAAAAAAABAgNhBBETURQSIf/EABkBAAMBAQEAAAAAAAAAAAAAAAMEBQIBAP/EAB0RAQEBAQEB\
    AQEBAQAAAAAAAAEAAwIRBBMSITH/2gAMAwEAAhEDEQA/ANCPOvwv9Aefg62jOmza46QlLyFtMh3SkLaUhZ1ZfbVkqxKr\
    Dgy2js/AJ0ZH+1YUefgxHn4FzSGISB+rUMVgLz8I8ODf/ClNDGYx+9UJK8QNYcHbaBNopZ+lK22VllhwJHn4Gn4DR8G+\
    tELOSrCjz8CfRwPPwdbQjps1XNQlLxF9Mh26QvpSFHVYe2rI3iV+jgy2js/Bz+2nvasGPPwZz8/AmaQzCR0VncVgz5+H\
    XgvwaXwVpoYzGZ60QkrxIGukQf598p3ez7U/o6Vr09M57P8AQV7v9Eu+fa64+E9p6ei1+jojpu/0C9mYMvadrlaP39Cx\
    sZM6sPnozX4w8/n9bYz2DzsZUaMKtWE5+epcYeFovfoK/R0RrZgL3f6O5/PB2znq9HSn39M6tn+nFsxn8wKY4+tqzv0N\
    G/TIjVhp1YnqT2HzWst+la9HTO+5g73f6Tu+fWfcPCe09PRe/R0Rvd/oGtmc5x9p+2do/f0JGxlTqw2ejD84QOMPW2M9\
    hidjJz0YZasNz89Sz+fwtJ79BX6OiNbMBe7/AEa4w8h7Z/5O36OkMqt3+kD/AJlM6y/2PUsBaZp1hwBeBBNfa3ruBZdy\
    yn+GaNYcOLzcGOOqZ3uLJRmxnPJjefl4M5+XgwdExjoSc5su4Y+vNw5WHA3PROuwFmXLAXLNO8Be8Bg0Cn7fQWc5Z2YY\
    79HC8+fgLT6AgcaCysQwqhjcefgRefhM1+garj2BIOWCuWadYcAXgANPW1ruBZdyyn+GaNYcOLzcHM0pWm4slGbGM8mN\
    x5eDOfm4MnRGx0JSM2X/AMMeXm4SsAh2T/6gWZcsXtM1NMRa8Qn6hI7blnVLIOvDhAXX0Hsn+o21cIBcIveyA1qiBnwt\
    7fpufWi05IotEGi0PcZskHSxs8kMRkgWdoNOiDfy1HLl8rfWgdwi1aoBpsv06elrRQqaSgFQjt7L9BPVHOukpvf9LXWa\
    CxmgM6INGiEde2Pjx1GnNF/rRSdEdeqEn+lqYIVahAbhF71QGtUM5ZrJb9NV5otOSK/YgkWijxmkgf0sXPJDMZIDnaDz\
    ojaJUMeWv9aB3KOvVAdNl+mFY3ahD0lC9Qi2my/QL1QPrtpuj0tZZohydEQV67fb3PHXkpfo6Cfo6K1TKfLK2XzlR15F\
    np36Hz26Z0fIxHyN/kF3LEW0o36X/o6IS2ddMH1wVLnECbv09FtPT0X0tiulsEhLbcE1Xp6V/o6IumdlsB2EkZC2jG/Q\
    8b9M2PkYlsT64GpY4E+t+la9HRT5ZSqZrPAWP3wBM36Ogn6OitUwf+mU8vnKVtyLPLfoaNumdLYePkZ/MLOWItpRv0J/\
    R0z5bLOmA75KpxiBN36ei2np6L6WxXS2LoQNuCav09Kf0dEqpklsB0Ej+Qtoxv0gpHyQA8E5xgeRqxZxYP8ADTeBafPw\
    sc9+FJd/WQjzv8Dxg/wejz8Dzgvwx3v5PY6Wf9JS8marxQG8kKd/ROdb+FkaZsWvJmvpkArEA/RTtfo9bM+ll4wf4aE4\
    cDZ+fgLrb25nr6yMed/gecH+GhHn4EWHDJ361Pjbwst4sHeLNesAN4j2TL7fTZFYsr9D/DTeB1YcKHOnhTHf1s+MH+B4\
    wf4PR5+BpwX4B0+jydw0kFiytZM1HigV5CHf0zzv4WRpkxa8ma+mQCsQX70/X6LL+ll4wf4aCw4Hz8/DP6w89fWRz87/\
    AAhrx5+EO/3Uedf8p/wvPwIrfoWN+lTrlCgZ4q2hHwFTQhO/S39HRDVatlihN1SAaUhe/T0X09PRNFua8oR7pA/lCtej\
    pxb9Pfw03rhWehIYzSM/PYZz2OmSzWOLPykW/wCCi36SvR0YzwZx4Qj20BtoBfo6Ar0dH+Mkpu3LNfKLT8CP39CTv072\
    IQOMlbQj4CpoQnfpf+jpO1Wq5YoTlUgGlIXr0dAaenom8ra14QjXSB/KFq9HSq36E5zaZ3wrPQkMZpGfnsM57BTFj44t\
    oQkQWnYgYxZ8zbz06sNGrFphhphlPXsu4ZkwtWR7P9B/4ZWpZN76FqRzyFL3f6L3u/07csBUs5zyMjsl17MvOjAqGGjN\
    jHPBKc8izGejGY0Yvnkw85sNzmVHLjkIv2sHez/SOWBuWM8cF3V5C5e7/QL2f6cuWC/ywr4FL78WMtmFjVi0ww0QxLXs\
    mMMyYnVlnswShnKlk7tFqZzyF293+i97v9O3LAVLO8cDJbJdezLTowShhYzY7xmSQCzGejGY0Yvnkw85sMcFQy4Iv2sg\
    NyyBDkjv81o8/A0+fg5GaCrNEHX6FpmPaEh/PwHeHDTcIFcIXNFY2m6Fk3hwE/Pw1KhFPrQ3mtK1+hWQnzcD5+Xg7GSG\
    M8kOc9XctFZOPNwL/PwfnJHXCNmlR51Qsy8OC+mJq3KF7lG/28lNvobLrDhVefhoOESc0B0+hkzVWTjz8DT5+DkZoNOa\
    Jun0LU8e2Q/n4VrDhpvNArhAue1Y/e6FlXhwE/Pw1KhFPrQ/ktK1+hWzp83A+fl4OxkhjPJDh15cy0Vk483Aq8/B+ckd\
    cI861PjVCzaw4QduUQ5+0Lr6H2DFhFZCEHr/ALEzDyrWgG9CECZhA2guyKyEKWYUzo/2PnQzFEIH8JvEIqsrWhCGWcT/\
    ACX01Fr0IQw07WH9hebIQT0sZh7HiwyshBNP9q2YeXHYK9CED5BC2/5BqzishCnmFK7P9jRQxFEIGSaxCKrOVoQgDqf8\
    PJfTUhCAmS7/AO3/2Q==
    """

  /// The pictures' centres through a file that is cropped while it is decoded, and through one that is
  /// not: a PNG of the same pixels.
  @Test(arguments: [0.25, 0.5, 0.9])
  func centersAreThoseOfTheWholePicture(part: Double) throws {
    let folder = NSTemporaryDirectory() + "tern-part-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let data = try #require(Data(base64Encoded: Self.jpeg))
    let whole = try Picture(data, name: "waves")
    try #require((whole.width, whole.height) == (200, 150))
    try data.write(to: URL(fileURLWithPath: "\(folder)/waves.jpg"))
    try PNGWriter.encoded(whole.pixels, width: 200, height: 150, channels: 3).write(
      to: URL(fileURLWithPath: "\(folder)/waves.png"))
    // As large as the part or larger, so that nothing is decoded at a smaller scale.
    let frame = PictureFrame([3, 136, 136], view: .center(part: part))
    let (cropped, full) = (
      try frame.values(ofFile: "\(folder)/waves.jpg"),
      try frame.values(ofFile: "\(folder)/waves.png")
    )
    #expect(zip(cropped, full).allSatisfy { abs($0 - $1) < 1e-5 })
    #expect((cropped.max() ?? 0) - (cropped.min() ?? 1) > 0.4)
  }
}
